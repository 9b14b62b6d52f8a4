// Memory for arrays that kernels read: aligned to a cache line, not filled, so
// that pages are taken from the system only when they are first written.
#ifndef TERN_RUNTIME_ALIGNED_BUFFER_H_
#define TERN_RUNTIME_ALIGNED_BUFFER_H_

#include <cstddef>
#include <cstdlib>
#include <limits>
#include <memory>
#include <string>
#include <sys/mman.h>
#include <type_traits>

#include <tern/error.h>

namespace tern {

inline constexpr std::size_t kCacheLine = 64;

// kHuge asks the system for 2 MiB pages, for what is filled at once or from its
// start and then streamed through: with 4 KiB pages one thread read weights at
// 8 GB/s instead of 13 (Zen 4).  What fills little by little stays with
// kNormal.
enum class Pages { kNormal, kHuge };

// Throws Error (kOutOfMemory) if there is no memory for it.
template <class T>
class AlignedBuffer {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  AlignedBuffer() = default;
  explicit AlignedBuffer(std::size_t size, Pages pages = Pages::kNormal)
      : size_(size) {
    constexpr std::size_t kMost =
        (std::numeric_limits<std::size_t>::max() - kHugePage) / sizeof(T);
    if (size > kMost) Fail();
    const bool huge = pages == Pages::kHuge && size * sizeof(T) >= kHugePage;
    const std::size_t alignment = huge ? kHugePage : kCacheLine;
    // std::aligned_alloc wants a multiple of the alignment.
    const std::size_t bytes =
        (size * sizeof(T) + alignment - 1) / alignment * alignment;
    if (bytes == 0) return;
    data_.reset(static_cast<T*>(std::aligned_alloc(alignment, bytes)));
    if (data_ == nullptr) Fail();
    // Only advice: where it is not taken, all works as before.
    if (huge) (void)madvise(data_.get(), bytes, MADV_HUGEPAGE);
  }

  [[nodiscard]] T* data() { return data_.get(); }
  [[nodiscard]] const T* data() const { return data_.get(); }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::size_t bytes() const { return size_ * sizeof(T); }

 private:
  static constexpr std::size_t kHugePage = std::size_t{2} << 20U;
  struct Free {
    void operator()(T* p) const { std::free(p); }
  };
  [[noreturn]] void Fail() const {
    throw Error(ErrorCode::kOutOfMemory,
                "memory: cannot get " + std::to_string(size_) + " x " +
                    std::to_string(sizeof(T)) +
                    " bytes; use a smaller model or context");
  }

  std::unique_ptr<T, Free> data_;
  std::size_t size_ = 0;
};

}  // namespace tern

#endif  // TERN_RUNTIME_ALIGNED_BUFFER_H_
