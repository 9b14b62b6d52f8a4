// The small float steps between the matrix products: norms, the feed-forward
// gate, rotary positions, and the storing of keys and values.  Any thread, no
// allocation, no exception; on one instruction set the result depends on the
// arguments alone.
#ifndef TERN_TERNARY_KERNELS_ELEMENTWISE_H_
#define TERN_TERNARY_KERNELS_ELEMENTWISE_H_

#include <cstddef>
#include <cstdint>

namespace tern::kernels {

// out[i] = weight[i] * (x[i] / sqrt(mean(x^2) + eps)); RMSNorm (Zhang and
// Sennrich 2019, arXiv 1910.07467).  out may be x.
void RmsNorm(const float* x, const float* weight, std::size_t size, float eps,
             float* out);

// out[i] = relu(gate[i])^2 * up[i] (BitNet b1.58 2B4T, arXiv 2504.12285,
// section 2).  Kept in float32: it exceeds the largest f16.  NaN stays NaN. out
// may be gate.
void SquaredReluGate(const float* gate, const float* up, std::size_t size,
                     float* out);

// out[i] = gate[i] / (1 + exp(-gate[i])) * up[i]: SwiGLU (Shazeer 2020, arXiv
// 2002.05202).  NaN stays NaN.  out may be gate.
void SiluGate(const float* gate, const float* up, std::size_t size, float* out);

// x[i] += y[i]
void AddTo(const float* y, std::size_t size, float* x);

// Rotates pairs (i, i + head_dim / 2) of one head by the angles whose cosine
// and sine are given [head_dim / 2]: RoPE (Su et al. 2021, arXiv 2104.09864) in
// the half-rotated order of Hugging Face models.  In place.
void RotateHead(const float* cosine, const float* sine, std::size_t head_dim,
                float* head);

// Round to nearest even.  False, with `out` undefined, if some value is not
// finite or rounds to more than the largest f16, 65504.
bool StoreF16(const float* x, std::size_t size, std::uint16_t* out);
// q = round(x / scale), half to even, scale = absmax / 127 (0 for nothing but
// zeros and numbers too small to divide by).  False, with `out` undefined, if
// some value is not finite.
bool StoreQ8(const float* x, std::size_t size, std::int8_t* out, float* scale);
// True if every value is finite.
bool AllFinite(const float* x, std::size_t size);

}  // namespace tern::kernels

#endif  // TERN_TERNARY_KERNELS_ELEMENTWISE_H_
