// Memory for matrices: one of their own, a piece of what a model's layers
// share, or a piece of a mapped file.  Apart, each would be rounded up to whole
// huge pages (2 MiB: 18 % more for BitNet b1.58 2B4T's layers) or, if smaller
// than one, lie in small pages.
#ifndef TERN_RUNTIME_WEIGHT_BYTES_H_
#define TERN_RUNTIME_WEIGHT_BYTES_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "runtime/aligned_buffer.h"

namespace tern {

// The bytes of one matrix, aligned to a cache line (floats in a mapped file: to
// 4 bytes, which is enough for them).
class WeightBytes {
 public:
  WeightBytes() = default;
  // Of its own, in huge pages.  Throws Error (kOutOfMemory).
  explicit WeightBytes(std::size_t size)
      : owned_(size, Pages::kHuge), bytes_(owned_.data(), size) {}
  // A piece of something that lives longer.
  explicit WeightBytes(std::span<std::uint8_t> piece) : bytes_(piece) {}
  // A piece of a mapped file, which lives longer: filled already.
  static WeightBytes Mapped(std::span<const std::uint8_t> piece) {
    WeightBytes mapped;
    mapped.mapped_ = piece;
    return mapped;
  }

  WeightBytes(WeightBytes&& other) noexcept
      : owned_(std::move(other.owned_)),
        bytes_(std::exchange(other.bytes_, {})),
        mapped_(std::exchange(other.mapped_, {})) {}
  WeightBytes& operator=(WeightBytes&& other) noexcept {
    owned_ = std::move(other.owned_);
    bytes_ = std::exchange(other.bytes_, {});
    mapped_ = std::exchange(other.mapped_, {});
    return *this;
  }
  WeightBytes(const WeightBytes&) = delete;
  WeightBytes& operator=(const WeightBytes&) = delete;
  ~WeightBytes() = default;

  [[nodiscard]] bool is_mapped() const { return !mapped_.empty(); }
  // To be filled; null if mapped.
  [[nodiscard]] std::uint8_t* data() { return bytes_.data(); }
  [[nodiscard]] const std::uint8_t* data() const { return bytes().data(); }
  [[nodiscard]] std::size_t size() const { return bytes().size(); }
  [[nodiscard]] std::span<const std::uint8_t> bytes() const {
    return is_mapped() ? mapped_ : std::span<const std::uint8_t>(bytes_);
  }

 private:
  AlignedBuffer<std::uint8_t> owned_;
  std::span<std::uint8_t> bytes_;
  std::span<const std::uint8_t> mapped_;
};

// One block that pieces are taken from, in huge pages.
class WeightArena {
 public:
  WeightArena() = default;
  // What pieces of these sizes take together is the sum of PieceBytes.  Throws
  // Error (kOutOfMemory).
  explicit WeightArena(std::size_t size) : block_(size, Pages::kHuge) {}

  static std::size_t PieceBytes(std::size_t size) {
    return (size + kCacheLine - 1) / kCacheLine * kCacheLine;
  }
  // The next `size` bytes; what is taken must fit the block.
  [[nodiscard]] WeightBytes Take(std::size_t size) {
    const std::size_t begin = taken_;
    taken_ += PieceBytes(size);
    return WeightBytes(std::span(block_.data() + begin, size));
  }

 private:
  AlignedBuffer<std::uint8_t> block_;
  std::size_t taken_ = 0;
};

}  // namespace tern

#endif  // TERN_RUNTIME_WEIGHT_BYTES_H_
