// The text of HTTP that a connection writes, and the names that it makes up.
#ifndef TERN_CLI_SERVE_HTTP_TEXT_H_
#define TERN_CLI_SERVE_HTTP_TEXT_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "cli/serve/http.h"

namespace tern::cli::serve {

// The head of an answer.
struct HeadText {
  enum class Coding { kLength, kChunked, kUntilClose };

  const Reply& reply;
  std::vector<HeaderField> common;  // Service::CommonFields
  std::string request_id{};
  bool keep_alive = false;
  bool is_1_1 = true;
  Coding coding = Coding::kLength;
};
std::string Format(const HeadText& head);

// What comes before a chunk of `size` bytes.
std::string ChunkHead(std::size_t size);

// The path of a request's target, which may also be a whole URL.
std::string PathOf(std::string_view target);

// "req_" and 24 letters and digits, which nobody else has.  From any thread.
std::string NewRequestId();
// `prefix` and 24 letters and digits.
std::string NewId(std::string_view prefix);

}  // namespace tern::cli::serve

#endif  // TERN_CLI_SERVE_HTTP_TEXT_H_
