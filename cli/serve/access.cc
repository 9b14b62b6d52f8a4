#include "cli/serve/access.h"

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <utility>

#include <boost/beast/core/string.hpp>

#include "cli/serve/api_error.h"

namespace tern::cli::serve {
namespace {

// Looks at all of `given`, and so tells nothing of `key` but its length.
bool EqualInConstantTime(std::string_view given, std::string_view key) {
  unsigned difference = given.size() == key.size() ? 0 : 1;
  for (std::size_t i = 0; i < given.size(); ++i) {
    const auto a = static_cast<unsigned char>(given[i]);
    const auto b = static_cast<unsigned char>(key[i % key.size()]);
    difference |= static_cast<unsigned>(a) ^ static_cast<unsigned>(b);
  }
  return difference == 0;
}

bool AreFieldNames(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](char byte) {
    return std::isalnum(static_cast<unsigned char>(byte)) != 0 || byte == '-' ||
           byte == '_' || byte == ',' || byte == ' ';
  });
}

}  // namespace

Access::Access(std::vector<std::string> keys, std::vector<std::string> origins)
    : keys_(std::move(keys)),
      origins_(std::move(origins)),
      any_origin_(std::find(origins_.begin(), origins_.end(), "*") !=
                  origins_.end()) {}

bool Access::MayAsk(std::string_view authorization) const {
  constexpr std::string_view kScheme = "Bearer ";
  if (keys_.empty()) return true;
  const auto scheme = authorization.substr(0, kScheme.size());
  if (!boost::beast::iequals({scheme.data(), scheme.size()},
                             {kScheme.data(), kScheme.size()})) {
    return false;
  }
  const std::string_view given = authorization.substr(kScheme.size());
  bool is_known = false;
  for (const std::string& key : keys_) {
    is_known = EqualInConstantTime(given, key) || is_known;
  }
  return is_known;
}

bool Access::MayReadFrom(std::string_view origin) const {
  return any_origin_ ||
         std::find(origins_.begin(), origins_.end(), origin) != origins_.end();
}

std::vector<HeaderField> Access::OriginFields(const RequestHead& head) const {
  if (origins_.empty()) return {};
  std::vector<HeaderField> fields;
  if (!any_origin_) fields.emplace_back("Vary", "Origin");
  if (head.origin.empty() || !MayReadFrom(head.origin)) return fields;
  fields.emplace_back("Access-Control-Allow-Origin",
                      any_origin_ ? "*" : head.origin);
  fields.emplace_back("Access-Control-Expose-Headers",
                      "X-Request-Id, Retry-After");
  return fields;
}

Reply Access::Preflight(const RequestHead& head,
                        const std::string& methods) const {
  if (!MayReadFrom(head.origin)) {
    throw ApiError(403,
                   "pages of this origin may not ask this server; "
                   "--cors-origin names those that may",
                   "", "origin_not_allowed");
  }
  Reply reply;
  reply.status = 204;
  reply.fields = {{"Access-Control-Allow-Methods", methods},
                  {"Access-Control-Max-Age", "600"}};
  if (!head.asked_fields.empty() && AreFieldNames(head.asked_fields)) {
    reply.fields.emplace_back("Access-Control-Allow-Headers",
                              head.asked_fields);
  }
  return reply;
}

}  // namespace tern::cli::serve
