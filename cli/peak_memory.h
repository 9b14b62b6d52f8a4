// How much memory a piece of work takes: the growth of the process's resident
// set while it runs.
#ifndef TERN_CLI_PEAK_MEMORY_H_
#define TERN_CLI_PEAK_MEMORY_H_

#include <cstdint>

namespace tern::cli {

// Bytes of the process in memory now (VmRSS).
std::uint64_t ResidentBytes();

class PeakMemory {
 public:
  // From here on.  The kernel's high-water mark (VmHWM) is set back to what is
  // resident now (by writing 5 to /proc/self/clear_refs); where that is not
  // allowed, peaks from before count too.
  PeakMemory();
  // Bytes by which the resident set has at some time been larger than at the
  // start.
  [[nodiscard]] std::uint64_t Growth() const;

 private:
  std::uint64_t start_;
};

}  // namespace tern::cli

#endif  // TERN_CLI_PEAK_MEMORY_H_
