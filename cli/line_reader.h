// Standard input, a line at a time.
#ifndef TERN_CLI_LINE_READER_H_
#define TERN_CLI_LINE_READER_H_

#include <optional>
#include <string>

namespace tern::cli {

class LineReader {
 public:
  // The next line, without its end; nothing at the end of the input.  Throws
  // Interrupted (errors.h) on Ctrl-C, and Error if it cannot be read.
  std::optional<std::string> Read();

 private:
  std::string held_;  // read, but not yet given
  bool at_end_ = false;
};

}  // namespace tern::cli

#endif  // TERN_CLI_LINE_READER_H_
