// Buffers as the kernels want them, which end where the sanitizer sees it.
#ifndef TERN_TESTS_FUZZ_ALIGNED_H_
#define TERN_TESTS_FUZZ_ALIGNED_H_

#include <cstddef>
#include <cstring>
#include <memory>
#include <new>

namespace tern::fuzz {

// `size` of T, zero, aligned to 64 bytes.
template <class T>
class Aligned {
 public:
  Aligned() = default;
  explicit Aligned(std::size_t size)
      : data_(static_cast<T*>(::operator new(size * sizeof(T), kLine))),
        size_(size) {
    if (size != 0) std::memset(data_.get(), 0, size * sizeof(T));
  }
  [[nodiscard]] T* data() const { return data_.get(); }
  [[nodiscard]] std::size_t size() const { return size_; }
  T& operator[](std::size_t i) const { return data_.get()[i]; }

 private:
  static constexpr std::align_val_t kLine{64};
  struct Free {
    void operator()(T* data) const { ::operator delete(data, kLine); }
  };
  std::unique_ptr<T, Free> data_;
  std::size_t size_ = 0;
};

}  // namespace tern::fuzz

#endif  // TERN_TESTS_FUZZ_ALIGNED_H_
