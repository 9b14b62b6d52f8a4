// What a command throws beside tern::Error, and the exit status it stands for.
#ifndef TERN_CLI_ERRORS_H_
#define TERN_CLI_ERRORS_H_

#include <stdexcept>
#include <string>

namespace tern::cli {

inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;         // the work failed
inline constexpr int kWrongUsage = 2;     // the command line makes no sense
inline constexpr int kInterrupted = 130;  // 128 + SIGINT, as shells have it

// Wrong usage.  what() is `OPTION: what is wrong`; main adds where to look.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Nobody reads our output any more (a closed pipe): end, without a word.
class OutputClosed : public std::exception {};

// SIGINT arrived where nothing is left to be told.
class Interrupted : public std::exception {};

}  // namespace tern::cli

#endif  // TERN_CLI_ERRORS_H_
