#include "cli/serve/http_text.h"

#include <array>
#include <charconv>
#include <ctime>
#include <random>

#include <boost/beast/http/status.hpp>

#include <tern/cpu.h>

namespace tern::cli::serve {
namespace {

// "Sun, 06 Nov 1994 08:49:37 GMT", in English whatever the locale.
std::string HttpDate() {
  constexpr std::array<const char*, 7> kDays = {"Sun", "Mon", "Tue", "Wed",
                                                "Thu", "Fri", "Sat"};
  constexpr std::array<const char*, 12> kMonths = {"Jan", "Feb", "Mar", "Apr",
                                                   "May", "Jun", "Jul", "Aug",
                                                   "Sep", "Oct", "Nov", "Dec"};
  const std::time_t now = std::time(nullptr);
  std::tm utc = {};
  gmtime_r(&now, &utc);
  std::array<char, 24> rest{};
  std::strftime(rest.data(), rest.size(), " %Y %H:%M:%S GMT", &utc);
  const auto day = static_cast<std::size_t>(utc.tm_mday);
  return std::string(kDays[static_cast<std::size_t>(utc.tm_wday)]) + ", " +
         (day < 10 ? "0" : "") + std::to_string(day) + " " +
         kMonths[static_cast<std::size_t>(utc.tm_mon)] + rest.data();
}

void Add(std::string_view name, std::string_view value, std::string* out) {
  *out += name;
  *out += ": ";
  *out += value;
  *out += "\r\n";
}

}  // namespace

std::string Format(const HeadText& head) {
  const Reply& reply = head.reply;
  const auto reason = boost::beast::http::obsolete_reason(
      boost::beast::http::int_to_status(static_cast<unsigned>(reply.status)));
  std::string out = "HTTP/1.1 " + std::to_string(reply.status) + " ";
  out.append(reason.data(), reason.size());
  out += "\r\n";
  Add("Date", HttpDate(), &out);
  Add("Server", "tern/" + Version(), &out);
  Add("X-Request-Id", head.request_id, &out);
  for (const auto& [name, value] : head.common) Add(name, value, &out);
  for (const auto& [name, value] : reply.fields) Add(name, value, &out);
  if (reply.status != 204) {
    Add("Content-Type", reply.content_type, &out);
    if (head.coding == HeadText::Coding::kLength) {
      Add("Content-Length", std::to_string(reply.body.size()), &out);
    }
  }
  if (head.coding == HeadText::Coding::kChunked) {
    Add("Transfer-Encoding", "chunked", &out);
  }
  if (!head.keep_alive) {
    Add("Connection", "close", &out);
  } else if (!head.is_1_1) {
    Add("Connection", "keep-alive", &out);
  }
  return out + "\r\n";
}

std::string ChunkHead(std::size_t size) {
  std::array<char, 20> digits{};
  const auto result =
      std::to_chars(digits.data(), digits.data() + digits.size(), size, 16);
  return std::string(digits.data(), result.ptr) + "\r\n";
}

std::string PathOf(std::string_view target) {
  const std::size_t scheme = target.find("://");
  if (!target.starts_with('/') && scheme != std::string_view::npos) {
    const std::size_t slash = target.find('/', scheme + 3);
    target = slash == std::string_view::npos ? "/" : target.substr(slash);
  }
  return std::string(target.substr(0, target.find_first_of("?#")));
}

std::string NewRequestId() { return NewId("req_"); }

std::string NewId(std::string_view prefix) {
  constexpr std::string_view kDigits =
      "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  constexpr int kLength = 24;
  thread_local std::mt19937_64 random{std::random_device()()};
  std::string out(prefix);
  for (int i = 0; i < kLength; ++i) out += kDigits[random() % kDigits.size()];
  return out;
}

}  // namespace tern::cli::serve
