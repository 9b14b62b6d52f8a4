#include "cli/stop_filter.h"

#include <algorithm>
#include <utility>

namespace tern::cli {

StopFilter::StopFilter(std::vector<std::string> stops)
    : stops_(std::move(stops)) {}

// Bytes of the longest stop string that held_ ends with, or 0.
std::size_t StopFilter::CompleteStop() const {
  std::size_t longest = 0;
  for (const std::string& stop : stops_) {
    if (held_.ends_with(stop)) longest = std::max(longest, stop.size());
  }
  return longest;
}

// Bytes of the longest end of held_ that begins a stop string.
std::size_t StopFilter::PossibleStart() const {
  std::size_t longest = 0;
  for (const std::string& stop : stops_) {
    std::size_t size = std::min(stop.size() - 1, held_.size());
    while (size > longest &&
           !held_.ends_with(std::string_view(stop).substr(0, size))) {
      --size;
    }
    longest = std::max(longest, size);
  }
  return longest;
}

std::string StopFilter::Push(std::string_view text) {
  if (stopped_) return "";
  for (const char byte : text) {
    held_ += byte;
    if (const std::size_t size = CompleteStop(); size != 0) {
      stopped_ = true;
      held_.resize(held_.size() - size);
      return std::exchange(held_, "");
    }
  }
  const std::size_t keep = PossibleStart();
  std::string out = held_.substr(0, held_.size() - keep);
  held_.erase(0, out.size());
  return out;
}

std::string StopFilter::Flush() { return std::exchange(held_, ""); }

}  // namespace tern::cli
