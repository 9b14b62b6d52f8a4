// Float activations to int8 by token, and integer sums back to floats: the two
// ends of a ternary product, and the only places where it multiplies.
#ifndef TERN_TERNARY_KERNELS_ACTIVATIONS_H_
#define TERN_TERNARY_KERNELS_ACTIVATIONS_H_

#include <cstddef>
#include <cstdint>

namespace tern::kernels {

// q[i] = round_half_even(x[i] * s), s = fl(fl(1 / max(absmax, 1e-5)) * 127), in
// float32 throughout; returns s.  This is the training rule of b1.58
// (arXiv 2402.17764 section 2) as transformers evaluates it.  q lies in
// [-127, 127]: -128 cannot occur, which the kernels rely on; values that are
// not finite give some q in that range and an s that is not finite or zero.
float QuantizeActivations(const float* x, std::size_t size, std::int8_t* q);

// y[i] = float(sums[i]) * multiplier.
void ScaleSums(const std::int32_t* sums, std::size_t size, float multiplier,
               float* y);
// y[i] = float(sums[i]) * (scales[i] * multiplier): a scale for each row.
void ScaleSumsByRow(const std::int32_t* sums, const float* scales,
                    std::size_t size, float multiplier, float* y);
// y[i] += float(sums[i]) * (scales[i * scale_stride] * multiplier): one of
// several column blocks.
void AddScaledSums(const std::int32_t* sums, const float* scales,
                   std::size_t scale_stride, std::size_t size, float multiplier,
                   float* y);

}  // namespace tern::kernels

#endif  // TERN_TERNARY_KERNELS_ACTIVATIONS_H_
