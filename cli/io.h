// Reading input and writing results, with every failure noticed: a full disk
// is an Error, a closed pipe an OutputClosed.
#ifndef TERN_CLI_IO_H_
#define TERN_CLI_IO_H_

#include <filesystem>
#include <string>
#include <string_view>

namespace tern::cli {

// Puts something unreadable and unwritable where standard input, output or
// error were closed, so that no file opened later takes their place and is
// mistaken for them; using a closed one still fails.  Called first, by main.
void OccupyStandardStreams();

// "standard input" for "-", else the path: for messages.
std::string InputName(const std::string& path);
// The whole file, or standard input for "-".  Throws Error naming the file.
std::string ReadInput(const std::string& path);

// Writes to stdout at once, unbuffered: results only.
void WriteResult(std::string_view text);
// A line of anything else, to stderr, control characters (of a file's name, for
// one) escaped; failures are ignored, there is nowhere
// left to tell them.
void Note(const std::string& line);

// A result file that appears under its name only when it is complete: it is
// written to a temporary file beside it, which Commit() renames.  Without a
// Commit the temporary file goes away again.  What is not a regular file, such
// as /dev/null or a pipe, is written in place; "-" is stdout.
class ResultFile {
 public:
  explicit ResultFile(const std::string& path);
  ResultFile(const ResultFile&) = delete;
  ResultFile& operator=(const ResultFile&) = delete;
  ~ResultFile();

  void Write(std::string_view bytes);
  void Commit();

 private:
  std::filesystem::path path_;
  std::filesystem::path temporary_;  // empty: written in place
  int descriptor_ = -1;
};

}  // namespace tern::cli

#endif  // TERN_CLI_IO_H_
