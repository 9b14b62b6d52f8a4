#include "cli/peak_memory.h"

#include <fstream>
#include <limits>
#include <string>

namespace tern::cli {
namespace {

// A line "KEY:   1234 kB" of /proc/self/status in bytes; 0 if there is none.
std::uint64_t StatusBytes(const std::string& key) {
  std::ifstream file("/proc/self/status");
  std::string word;
  while (file >> word) {
    std::uint64_t kib = 0;
    if (word == key && file >> kib) return kib * 1024;
    file.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  }
  return 0;
}

}  // namespace

std::uint64_t ResidentBytes() { return StatusBytes("VmRSS:"); }

PeakMemory::PeakMemory() {
  std::ofstream("/proc/self/clear_refs") << "5";
  start_ = ResidentBytes();
}

std::uint64_t PeakMemory::Growth() const {
  const std::uint64_t peak = StatusBytes("VmHWM:");
  return peak > start_ ? peak - start_ : 0;
}

}  // namespace tern::cli
