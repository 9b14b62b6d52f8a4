// A bar on the terminal while something takes long.  Drawn only when stderr is
// a terminal that understands it and NO_COLOR (https://no-color.org) is not
// set; otherwise every call does nothing.
#ifndef TERN_CLI_PROGRESS_H_
#define TERN_CLI_PROGRESS_H_

#include <chrono>
#include <string>

namespace tern::cli {

class Progress {
 public:
  explicit Progress(std::string label);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() { Clear(); }

  // `fraction` in 0..1; `note` is shown behind the bar.  Redrawn at most ten
  // times a second.
  void Update(double fraction, const std::string& note = "");
  // Takes the bar off the terminal, so that other lines can follow.
  void Clear();

 private:
  std::string label_;
  bool shown_ = false;
  std::chrono::steady_clock::time_point next_;
};

// True if `descriptor` is a terminal that may get colour and movement.
bool IsFancyTerminal(int descriptor);

// "[#####.....]  50%": `width` characters between the brackets.
std::string Bar(double fraction, int width);

}  // namespace tern::cli

#endif  // TERN_CLI_PROGRESS_H_
