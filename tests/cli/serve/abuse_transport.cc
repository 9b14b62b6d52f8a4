// Bytes that are no request that HTTP knows, or that come too slowly, or of
// which the rest never comes.
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "tests/cli/serve/abuse.h"
#include "tests/cli/serve/http_client.h"

namespace tern::testing {
namespace {

using Then = Abuse::Then;

constexpr std::string_view kStart =
    "POST /tokenize HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n";
constexpr std::string_view kBody = R"({"content":"a"})";

// A POST with these fields, and what follows the header.
Abuse WithFields(const std::string& fields, const std::string& rest = "") {
  return {.bytes = std::string(kStart) + fields + "\r\n" + rest};
}

std::string AnyValid(Random& random) {
  const ValidRequest& valid = random.OneOf(ValidRequests());
  return PostBytes(valid.path, valid.body);
}

Abuse BadRequestLine(Random& random) {
  static const std::array<std::string, 12> kLines = {
      "hello",
      "GET",
      "GET /health",
      "GET  /health HTTP/1.1",
      "GET\t/health\tHTTP/1.1",
      "GET /he\x01lth HTTP/1.1",
      "GET /health\x7f HTTP/1.1",
      "/health HTTP/1.1",
      "G@T /health HTTP/1.1",
      "\x16\x03\x01\x02\x01\x01\xfc\x03\x03",
      "{\"content\":\"a\"}",
      " GET /health HTTP/1.1"};
  if (random.Below(3) > 0) {
    return {.bytes = random.OneOf(kLines) + "\r\nHost: t\r\n\r\n"};
  }
  std::string bytes(1, static_cast<char>(0x80 + random.Below(128)));
  for (std::size_t i = random.Below(200); i > 0; --i) bytes += random.Byte();
  return {.bytes = bytes + "\r\n\r\n"};
}

Abuse OtherVersion(Random& random) {
  static const std::array<std::string, 7> kVersions = {
      "HTTP/2.0", "HTTP/0.9", "HTTP/1.2", "HTTP/3.0",
      "http/1.1", "HTTP/9.9", "ICY/1.0"};
  return {.bytes =
              "GET /health " + random.OneOf(kVersions) + "\r\nHost: t\r\n\r\n"};
}

Abuse BadLength(Random& random) {
  static const std::array<std::string, 9> kLengths = {"-2",
                                                      "two",
                                                      "0x0f",
                                                      "15 15",
                                                      "+15",
                                                      "1.5",
                                                      "",
                                                      "99999999999999999999999",
                                                      "18446744073709551616"};
  return WithFields("Content-Length: " + random.OneOf(kLengths) + "\r\n",
                    std::string(kBody));
}

Abuse TwoLengths(Random& random) {
  static const std::array<std::string, 4> kFields = {
      "Content-Length: 15\r\nContent-Length: 16\r\n",
      "Content-Length: 15\r\nTransfer-Encoding: chunked\r\n",
      "Transfer-Encoding: chunked\r\nContent-Length: 15\r\n",
      "Content-Length: 16\r\nX: y\r\nContent-Length: 15\r\n"};
  return WithFields(random.OneOf(kFields), std::string(kBody));
}

Abuse BadChunk(Random& random) {
  static const std::array<std::string, 8> kChunks = {
      "zz\r\n{}\r\n0\r\n\r\n",
      "-1\r\n{}\r\n0\r\n\r\n",
      "2\r\n{}0\r\n\r\n",
      "1\r\n{}\r\n0\r\n\r\n",
      "\r\n{}\r\n0\r\n\r\n",
      "2{}\r\n0\r\n\r\n",
      "fffffffffffffffff\r\n{}\r\n0\r\n\r\n",
      "2\r\n{}\r\n0\r\nno trailer\r\n\r\n"};
  return WithFields("Transfer-Encoding: chunked\r\n", random.OneOf(kChunks));
}

Abuse BadField(Random& random) {
  static const std::array<std::string, 10> kFields = {
      std::string("X: a\0b\r\n", 8),
      "X: \x01\r\n",
      "X: \x7f\r\n",
      "no colon\r\n",
      ": no name\r\n",
      "X : space\r\n",
      "X\x01: a\r\n",
      "X\xff: a\r\n",
      "X: a\rb\r\n",
      "(X): a\r\n"};
  return WithFields(random.OneOf(kFields) + "Content-Length: 15\r\n",
                    std::string(kBody));
}

Abuse BadHost(Random& random) {
  const bool none = random.Below(2) == 0;
  return {.bytes = std::string("GET /health HTTP/1.1\r\n") +
                   (none ? "\r\n" : "Host: a\r\nHost: b\r\n\r\n")};
}

Abuse LargeHeader(Random& random) {
  const std::size_t size = kAbuseMaxHeader + 1 + random.Below(8000);
  switch (random.Below(3)) {
    case 0:
      return WithFields("X: " + std::string(size, 'x') + "\r\n");
    case 1:
      return {.bytes = "GET /" + std::string(size, 'x') + " HTTP/1.1\r\n"};
    default: {
      std::string fields;
      while (fields.size() < size) fields += "X: y\r\n";
      return WithFields(fields);
    }
  }
}

Abuse LargeBody(Random& random) {
  const std::size_t size = kAbuseMaxBody + 1 + random.Below(30000);
  switch (random.Below(4)) {
    case 0:  // told, and sent
      return {.bytes = PostBytes("/tokenize", std::string(size, ' '))};
    case 1:  // only told
      return WithFields("Content-Length: " + std::to_string(size) + "\r\n");
    case 2:
      return WithFields("Content-Length: 18446744073709551615\r\n", "{");
    default: {
      std::string chunks;
      while (chunks.size() < size) {
        chunks += "100\r\n" + std::string(256, ' ') + "\r\n";
      }
      return WithFields("Transfer-Encoding: chunked\r\n", chunks);
    }
  }
}

Abuse OtherMethod(Random& random) {
  static const std::array<std::string, 7> kLines = {
      "BREW /health",       "PUT /health", "DELETE /v1/models",
      "GET /v1/embeddings", "PATCH /",     "TRACE /health",
      "PROPFIND /tokenize"};
  return {.bytes = random.OneOf(kLines) + " HTTP/1.1\r\nHost: t\r\n\r\n"};
}

Abuse OtherPath(Random& random) {
  static const std::array<std::string, 9> kPaths = {
      "*",         "/v1",
      "/v1/",      "//health",
      "/health/",  "/../etc/passwd",
      "/%68ealth", "/v1/models/none",
      "/HEALTH"};
  return {.bytes =
              "GET " + random.OneOf(kPaths) + " HTTP/1.1\r\nHost: t\r\n\r\n"};
}

Abuse NoLength(Random& random) {
  return {.bytes = std::string("POST ") + random.OneOf(ValidRequests()).path +
                   " HTTP/1.1\r\nHost: t\r\nContent-Type: application/json"
                   "\r\n\r\n"};
}

Abuse OtherType(Random& random) {
  static const std::array<std::string, 6> kFields = {
      "Content-Type: text/plain\r\n",
      "Content-Type: application/jsonp\r\n",
      "Content-Type: application/x-www-form-urlencoded\r\n",
      "Content-Type: application/json\r\nContent-Encoding: gzip\r\n",
      "Content-Type: \r\n",
      ""};
  return {.bytes = "POST /tokenize HTTP/1.1\r\nHost: t\r\n" +
                   random.OneOf(kFields) + "Content-Length: 15\r\n\r\n" +
                   std::string(kBody)};
}

Abuse OtherCoding(Random& random) {
  static const std::array<std::string, 3> kCodings = {"gzip", "identity",
                                                      "chunked, gzip"};
  return WithFields("Transfer-Encoding: " + random.OneOf(kCodings) + "\r\n",
                    std::string(kBody));
}

Abuse OtherExpect(Random& random) {
  return WithFields("Expect: " + std::string(1 + random.Below(50), 'e') +
                        "\r\nContent-Length: 15\r\n",
                    std::string(kBody));
}

// Anything may come of it, but an answer; what is missing never comes.
Abuse ChangedHeader(Random& random) {
  std::string bytes = AnyValid(random);
  const std::size_t header = bytes.find("\r\n\r\n");
  for (std::size_t count = 1 + random.Below(3); count > 0; --count) {
    bytes[random.Below(header)] = random.Byte();
  }
  return {.bytes = bytes, .then = Then::kClosesSending};
}

Abuse Version10(Random& random) {
  return {.bytes = random.Below(2) == 0
                       ? "GET /health HTTP/1.0\r\n\r\n"
                       : "POST /tokenize HTTP/1.0\r\nContent-Type: "
                         "application/json\r\nContent-Length: 15\r\n\r\n" +
                             std::string(kBody)};
}

// Sent at once with the one before it, which is wrong.
Abuse SentAhead(Random& random) {
  return {.bytes = PostBytes("/tokenize", "{") + AnyValid(random)};
}

Abuse HalfHeader(Random& random) {
  const std::string bytes = AnyValid(random);
  const std::size_t header = bytes.find("\r\n\r\n");
  return {.bytes = bytes.substr(0, 1 + random.Below(header)),
          .then = Then::kClosesSending};
}

std::string HalfBodyBytes(Random& random) {
  const std::string bytes = AnyValid(random);
  const std::size_t body = bytes.find("\r\n\r\n") + 4;
  return bytes.substr(0, body + random.Below(bytes.size() - body));
}

Abuse HalfBody(Random& random) {
  return {.bytes = HalfBodyBytes(random), .then = Then::kClosesSending};
}

Abuse ClosedBeforeAnswer(Random& /*random*/) {
  return {.bytes = PostBytes("/v1/completions",
                             R"({"prompt":"Once upon a time","max_tokens":50,
                                 "temperature":0,"n":4})"),
          .then = Then::kClosesSending};
}

Abuse ClosedAtOnce(Random& /*random*/) {
  return {.bytes = "", .then = Then::kClosesSending};
}

Abuse Reset(Random& random) {
  std::string bytes;
  switch (random.Below(3)) {
    case 0:
      bytes = HalfHeader(random).bytes;
      break;
    case 1:
      bytes = HalfBodyBytes(random);
      break;
    default:
      bytes = ClosedBeforeAnswer(random).bytes;
  }
  return {.bytes = bytes, .then = Then::kResets};
}

Abuse Slow(Random& random) {
  const std::string length =
      "Content-Length: " + std::to_string(kAbuseMaxBody) + "\r\n";
  switch (random.Below(4)) {
    case 0:
      return {.bytes = "GET /health HTTP/1.1\r\nHost: t\r\nX: ",
              .then = Then::kDrips,
              .drip = "x"};
    case 1:
      return {.bytes = "G", .then = Then::kDrips, .drip = ""};
    case 2:
      return {
          .bytes = WithFields(length).bytes, .then = Then::kDrips, .drip = " "};
    default:
      return {.bytes = WithFields("Transfer-Encoding: chunked\r\n").bytes,
              .then = Then::kDrips,
              .drip = "1\r\n \r\n"};
  }
}

}  // namespace

std::vector<AbuseKind> TransportAbuses() {
  const std::vector<int> bad = {400};
  // The client's second step comes late where the machine stands still.
  const std::vector<int> cut = {400, 408};
  const std::vector<int> left = {200, 400};
  const std::vector<int> any = {200, 400, 404, 405, 411, 413,
                                415, 417, 431, 501, 505};
  return {
      {"bad request line", 4, bad, After::kClosed, BadRequestLine},
      {"other version", 2, {505}, After::kClosed, OtherVersion},
      {"bad length", 3, bad, After::kClosed, BadLength},
      {"two lengths", 2, bad, After::kClosed, TwoLengths},
      {"bad chunk", 3, bad, After::kClosed, BadChunk},
      {"bad field", 3, bad, After::kClosed, BadField},
      {"no Host, or two", 1, bad, After::kKept, BadHost},
      {"large header", 2, {431}, After::kClosed, LargeHeader},
      {"large body", 2, {413}, After::kClosed, LargeBody},
      {"other method", 2, {405}, After::kKept, OtherMethod},
      {"other path", 1, {404}, After::kKept, OtherPath},
      {"no length", 1, {411}, After::kKept, NoLength},
      {"other type", 1, {415}, After::kClosed, OtherType},
      {"other coding", 1, {501}, After::kClosed, OtherCoding},
      {"other Expect", 1, {417}, After::kClosed, OtherExpect},
      {"header changed", 4, any, After::kEither, ChangedHeader},
      {"HTTP/1.0", 1, {200}, After::kClosed, Version10},
      {"next one sent ahead", 1, bad, After::kKept, SentAhead},
      {"half a header", 1, cut, After::kClosed, HalfHeader},
      {"half a body", 1, cut, After::kClosed, HalfBody},
      {"closed before the answer", 1, left, After::kEither, ClosedBeforeAnswer},
      {"closed at once", 1, {kNoAnswer}, After::kClosed, ClosedAtOnce},
      {"reset", 2, {kNoAnswer}, After::kClosed, Reset},
      {"slow", 4, {408}, After::kClosed, Slow}};
}

std::vector<AbuseKind> AbuseKinds() {
  std::vector<AbuseKind> kinds = BodyAbuses();
  for (AbuseKind& kind : TransportAbuses()) kinds.push_back(std::move(kind));
  return kinds;
}

}  // namespace tern::testing
