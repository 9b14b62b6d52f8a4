// A token's float input as int16: what the integer kernels of the head
// (ternary_kernels/head.h) take.
#ifndef TERN_RUNTIME_HEAD_WIDE_INPUT_H_
#define TERN_RUNTIME_HEAD_WIDE_INPUT_H_

#include <cstddef>
#include <cstdint>

namespace tern {

// The largest |q| such that a sum over `cols` columns of weights up to `weight`
// stays below 2^31: 15 bits for few columns, 13 for 2560 and a screen's 63.
int WideLimit(std::size_t cols, int weight);

struct WideInput {
  float scale = 0;   // x[c] is about scale * q[c]
  double norm = 0;   // at least |x|; infinite or NaN if x is not finite
  double error = 0;  // at least |x - scale * q|
};
// q[c] = round(x[c] / scale) for c < cols, 0 for cols <= c < padded; |q| <=
// limit.
WideInput QuantizeWide(const float* x, std::size_t cols, int limit,
                       std::int16_t* q, std::size_t padded) noexcept;

}  // namespace tern

#endif  // TERN_RUNTIME_HEAD_WIDE_INPUT_H_
