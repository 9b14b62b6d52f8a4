#include "cli/progress.h"

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <string_view>
#include <unistd.h>
#include <utility>

namespace tern::cli {
namespace {

constexpr int kBarWidth = 30;
constexpr std::chrono::milliseconds kRedrawEvery{100};
constexpr std::string_view kEraseLine = "\r\033[K";

bool IsSet(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && *value != '\0';
}

}  // namespace

bool IsFancyTerminal(int descriptor) {
  const char* terminal = std::getenv("TERM");
  const bool dumb = terminal == nullptr || std::string_view(terminal) == "dumb";
  return isatty(descriptor) != 0 && !dumb && !IsSet("NO_COLOR");
}

std::string Bar(double fraction, int width) {
  fraction = std::clamp(fraction, 0.0, 1.0);
  const auto full = static_cast<std::size_t>(fraction * width);
  std::string bar = "[";
  bar.append(full, '#');
  bar.append(static_cast<std::size_t>(width) - full, '.');
  const std::string percent = std::to_string(static_cast<int>(fraction * 100));
  bar += "] ";
  bar.append(3 - percent.size(), ' ');
  bar += percent;
  bar += '%';
  return bar;
}

Progress::Progress(std::string label) : label_(std::move(label)) {}

void Progress::Update(double fraction, const std::string& note) {
  static const bool fancy = IsFancyTerminal(STDERR_FILENO);
  const auto now = std::chrono::steady_clock::now();
  if (!fancy || now < next_) return;
  next_ = now + kRedrawEvery;
  shown_ = true;
  std::cerr << kEraseLine << label_ << " " << Bar(fraction, kBarWidth)
            << (note.empty() ? "" : " ") << note << std::flush;
}

void Progress::Clear() {
  if (shown_) std::cerr << kEraseLine << std::flush;
  shown_ = false;
}

}  // namespace tern::cli
