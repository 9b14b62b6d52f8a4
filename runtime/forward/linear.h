// Linear layers: several that share one input, for one token or many.
#ifndef TERN_RUNTIME_FORWARD_LINEAR_H_
#define TERN_RUNTIME_FORWARD_LINEAR_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "runtime/aligned_buffer.h"
#include "runtime/weights.h"

namespace tern {

// Upper bounds of what a LinearScratch serves.
struct LinearShape {
  std::size_t tokens = 0;
  std::size_t cols = 0;
  std::size_t rows = 0;
  std::size_t threads = 0;
};

// Working memory of Project, reserved once for a session.
class LinearScratch {
 public:
  LinearScratch() = default;
  explicit LinearScratch(const LinearShape& shape);
  static std::uint64_t Bytes(const LinearShape& shape);

  // Row of quantised activations: padded so that rows do not share lines.
  static std::size_t Stride(std::size_t cols) {
    return (cols + kCacheLine - 1) / kCacheLine * kCacheLine;
  }

  LinearShape shape;
  AlignedBuffer<std::int8_t> q;        // [tokens][Stride(cols)]
  AlignedBuffer<float> q_scales;       // [tokens], the s of q = x * s
  AlignedBuffer<std::uint8_t> tables;  // [few tokens][NibbleTableBytes(cols)]
  AlignedBuffer<std::int32_t> sums;    // [threads][TokenTile][rows]
  AlignedBuffer<std::uint8_t> matmul;  // [threads][MatMulScratchBytes]
};

// One of the layers: y [tokens][w.rows] = W x.
struct Projection {
  const Linear* w = nullptr;
  float* y = nullptr;
};

// Applies all layers to x [tokens][cols]; they have the same cols, are all
// ternary or all dense, and fit the scratch's shape.  Ternary layers quantise x
// once for all of them.
void Project(std::span<const Projection> layers, const float* x,
             std::size_t tokens, LinearScratch& scratch, int num_threads);

// y [tokens][w.rows] = W x for a dense matrix: the output head.
void ProjectDense(const DenseMatrix& w, const float* x, std::size_t tokens,
                  float* y, int num_threads);

}  // namespace tern

#endif  // TERN_RUNTIME_FORWARD_LINEAR_H_
