// Linear layers: several that share one input, for one token or many.
#ifndef TERN_RUNTIME_FORWARD_LINEAR_H_
#define TERN_RUNTIME_FORWARD_LINEAR_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include <tern/model.h>

#include "runtime/aligned_buffer.h"
#include "runtime/parallel.h"
#include "runtime/weights.h"

namespace tern {

// Upper bounds of what a LinearScratch serves.  Without rows: dense layers of
// any shape, and no others.
struct LinearShape {
  std::size_t tokens = 0;
  std::size_t cols = 0;
  std::size_t rows = 0;
  std::size_t threads = 0;
};

// A buffer of `size` elements for each thread; they do not share cache lines.
template <class T>
class PerThread {
 public:
  PerThread() = default;
  PerThread(std::size_t threads, std::size_t size)
      : stride_(Stride(size)), data_(threads * stride_) {}
  static std::uint64_t Bytes(std::size_t threads, std::size_t size) {
    return threads * Stride(size) * sizeof(T);
  }
  [[nodiscard]] T* Of(std::size_t thread) {
    return data_.data() + thread * stride_;
  }

 private:
  static std::size_t Stride(std::size_t size) {
    return (size + kCacheLine - 1) / kCacheLine * kCacheLine;
  }
  std::size_t stride_ = 0;
  AlignedBuffer<T> data_;
};

// Working memory of ternary layers with int8 inputs.
class Int8Scratch {
 public:
  Int8Scratch() = default;
  explicit Int8Scratch(const LinearShape& shape);
  static std::uint64_t Bytes(const LinearShape& shape);

  // Row of quantised activations: padded so that rows do not share lines.
  static std::size_t Stride(std::size_t cols) {
    return (cols + kCacheLine - 1) / kCacheLine * kCacheLine;
  }

  std::size_t row_block = 0;           // rows that one product takes at most
  AlignedBuffer<std::int8_t> q;        // [tokens][Stride(cols)]
  AlignedBuffer<float> q_scales;       // [tokens], the s of q = x * s
  std::uint64_t inputs = 0;            // that were quantised so far
  PerThread<std::uint8_t> tables;      // [few tokens][NibbleTableBytes(cols)]
  PerThread<std::uint64_t> tables_of;  // [1], the input they were built of
  AlignedBuffer<std::int8_t> packed;   // [token tiles][PackedTokensBytes]
  PerThread<std::int32_t> sums;        // [TokenTile][rows]
  PerThread<std::uint8_t> matmul;      // [MatMulScratchBytes(row_block)]
};

// Working memory of ternary layers with float inputs.
class FloatScratch {
 public:
  FloatScratch() = default;
  explicit FloatScratch(const LinearShape& shape);
  static std::uint64_t Bytes(const LinearShape& shape);

  PerThread<float> sums;           // [FloatTokenTile][rows]
  PerThread<std::uint8_t> matmul;  // [FloatMatMulScratchBytes]
};

// Working memory of Project, reserved once for a session: for dense layers, and
// for the kind of input that the model's ternary layers take.
class LinearScratch {
 public:
  LinearScratch() = default;
  LinearScratch(const LinearShape& shape, InputType input_type);
  static std::uint64_t Bytes(const LinearShape& shape, InputType input_type);

  LinearShape shape;
  InputType input_type = InputType::kInt8;
  PerThread<std::uint8_t> dense;  // [kDenseScratchBytes]
  Int8Scratch int8;
  FloatScratch floats;
};

// One of the layers: y [tokens][w.rows] = W x.
struct Projection {
  const Linear* w = nullptr;
  float* y = nullptr;
};

// Applies all layers to x [tokens][cols]; they have the same cols and fit the
// scratch's shape.  Ternary layers with int8 inputs quantise x once for all of
// them.  A layer's input_norm is not applied here.
void Project(std::span<const Projection> layers, const float* x,
             std::size_t tokens, LinearScratch& scratch, Team& team);

// Says that after the next call of Project one of few tokens for these layers
// comes: members that wait until then fetch what they will read first.
void ExpectProject(std::span<const Projection> layers, Team& team);

// Project for layers that are all ternary, by kind of input.
void ProjectInt8(std::span<const Projection> layers, const float* x,
                 std::size_t tokens, Int8Scratch& scratch, Team& team);
void ProjectFloat(std::span<const Projection> layers, const float* x,
                  std::size_t tokens, FloatScratch& scratch, Team& team);

// One row of a matrix as floats, out [w.cols]: an embedding look-up.
void LookUpRow(const Linear& w, std::size_t row, float* out);

}  // namespace tern

#endif  // TERN_RUNTIME_FORWARD_LINEAR_H_
