// 16-bit floats, bit by bit: IEEE binary16 (f16) and bfloat16 (the upper half
// of a float32).  Plain integer code for readers and writers; the kernels have
// vector forms of their own.
#ifndef TERN_PACKING_HALF_H_
#define TERN_PACKING_HALF_H_

#include <cstdint>

namespace tern::packing {

// Exact, NaN and infinity included.
float F16ToF32(std::uint16_t bits);
float Bf16ToF32(std::uint16_t bits);
// Round to nearest, ties to even; overflow gives infinity.
std::uint16_t F32ToF16(float value);
std::uint16_t F32ToBf16(float value);

}  // namespace tern::packing

#endif  // TERN_PACKING_HALF_H_
