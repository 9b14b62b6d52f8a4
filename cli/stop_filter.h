// Ends a streamed text at the first stop string, holding back what could still
// become one.
#ifndef TERN_CLI_STOP_FILTER_H_
#define TERN_CLI_STOP_FILTER_H_

#include <string>
#include <string_view>
#include <vector>

namespace tern::cli {

class StopFilter {
 public:
  // `stops` must not contain an empty string.
  explicit StopFilter(std::vector<std::string> stops);

  // What may be printed now.  The stop string that is complete first ends the
  // text (the longest one of several that end at the same byte), however the
  // text is cut into calls; it and everything after it is never returned.
  std::string Push(std::string_view text);
  // What was held back, at the end of the stream; nothing after a stop.
  std::string Flush();
  // True once a stop string was met.
  [[nodiscard]] bool stopped() const { return stopped_; }

 private:
  [[nodiscard]] std::size_t CompleteStop() const;
  [[nodiscard]] std::size_t PossibleStart() const;

  std::vector<std::string> stops_;
  std::string held_;
  bool stopped_ = false;
};

}  // namespace tern::cli

#endif  // TERN_CLI_STOP_FILTER_H_
