// How fast this machine reads memory: what decoding, which reads every weight
// once a token, is measured against.
#ifndef TERN_BANDWIDTH_H_
#define TERN_BANDWIDTH_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include <tern/api.h>

namespace tern {

// Keeps a buffer for its measurements, so that several, taken between others,
// do not pay for its pages again.  Belongs to one thread at a time.
class TERN_API BandwidthProbe {
 public:
  // A buffer of 8 times the third-level cache that so many threads reach (but
  // no more than an eighth of the free memory, and no less than 128 MiB) in
  // 2 MiB pages, filled by `num_threads` threads, so that its pages are spread
  // over the memory of several processors as weights are that as many threads
  // loaded.  Throws Error (kOutOfMemory, or kInvalidArgument as Measure).
  explicit BandwidthProbe(int num_threads);
  BandwidthProbe(const BandwidthProbe&) = delete;
  BandwidthProbe& operator=(const BandwidthProbe&) = delete;
  ~BandwidthProbe();

  // 10^9 bytes a second that `num_threads` threads read together: the best of
  // several passes over the buffer, with prefetching by software and without,
  // for what is asked is what the machine can do.  Throws Error
  // (kInvalidArgument) if the system does not give that many threads.
  [[nodiscard]] double Measure(int num_threads);

  [[nodiscard]] std::uint64_t bytes() const;

 private:
  class TERN_PRIVATE Buffer;
  std::unique_ptr<Buffer> buffer_;
};

}  // namespace tern

#endif  // TERN_BANDWIDTH_H_
