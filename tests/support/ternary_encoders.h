// Every stored form of a ternary matrix, written weight by weight from the
// description of its bytes: the other side of packing/'s readers, with which it
// shares nothing.
#ifndef TERN_TESTS_SUPPORT_TERNARY_ENCODERS_H_
#define TERN_TESTS_SUPPORT_TERNARY_ENCODERS_H_

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "tests/support/reference_model.h"

namespace tern::testing {

// Type numbers in GGUF files.
namespace gguf {
inline constexpr std::uint32_t kF32 = 0;
inline constexpr std::uint32_t kF16 = 1;
inline constexpr std::uint32_t kQ4_0 = 2;
inline constexpr std::uint32_t kQ6K = 14;
inline constexpr std::uint32_t kBf16 = 30;
inline constexpr std::uint32_t kTq1_0 = 34;
inline constexpr std::uint32_t kTq2_0 = 35;
inline constexpr std::uint32_t kI2S = 36;
inline constexpr std::uint32_t kTl1 = 38;
inline constexpr std::uint32_t kTl2 = 39;
// Blocks of 64; in files older than the number, kPq2_0's bytes.
inline constexpr std::uint32_t kQ2_0 = 42;
inline constexpr std::uint32_t kIq1Bn = 134;
inline constexpr std::uint32_t kIq2Bn = 135;
inline constexpr std::uint32_t kPq2_0 = 142;
inline constexpr std::uint32_t kPtq1_0 = 143;
}  // namespace gguf

// The bits of a value that an IEEE binary16 or a bfloat16 holds exactly; throws
// for others, so that no test rounds without knowing.
std::uint16_t HalfBits(float value);
std::uint16_t Bf16Bits(float value);

// Plain floats of that type (kF32, kF16, kBf16).
std::string EncodeFloats(const std::vector<float>& values, std::uint32_t type);
// All values of the matrix, ternary or not, row by row.
std::vector<float> ValuesOf(const ReferenceMatrix& matrix);

// A matrix as GGUF stores it: a ternary type or a float one.  Throws if a scale
// changes where the type has one, or does not fit f16.
std::string EncodeGguf(const ReferenceMatrix& matrix, std::uint32_t type);
// The other orders of I2_S: 'B' in blocks of 64, 'C' four rows in a byte.
std::string EncodeI2S(const ReferenceMatrix& matrix, char layout);

// Hugging Face's uint8 [rows / 4][cols], the scale apart.
std::string EncodeHuggingFace(const ReferenceMatrix& matrix);

// Random blocks of a type that tests never have to quantise to: the bytes, and
// the values that they stand for.
struct EncodedFloats {
  std::vector<float> values;
  std::string bytes;
};
EncodedFloats RandomQ4(std::size_t count, float deviation,
                       std::mt19937& random);
EncodedFloats RandomQ6K(std::size_t count, float deviation,
                        std::mt19937& random);

}  // namespace tern::testing

#endif  // TERN_TESTS_SUPPORT_TERNARY_ENCODERS_H_
