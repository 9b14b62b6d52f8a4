#include "tests/support/ternary_encoders.h"

#include <cmath>
#include <cstring>
#include <stdexcept>

#include "tests/support/reference_files.h"

namespace tern::testing {
namespace {

template <typename T>
void Append(T value, std::string& bytes) {
  char raw[sizeof(T)];
  std::memcpy(raw, &value, sizeof(T));
  bytes.append(raw, sizeof(T));
}

void AppendByte(unsigned value, std::string& bytes) {
  bytes += static_cast<char>(static_cast<unsigned char>(value));
}

// Codes 0, 1, 2 of the matrix, row after row.
class Codes {
 public:
  explicit Codes(const ReferenceMatrix& matrix) : matrix_(matrix) {
    if (!matrix.is_ternary()) throw std::runtime_error("not ternary");
  }
  unsigned operator[](std::size_t i) const {
    return static_cast<unsigned>(matrix_.trits[i] + 1);
  }
  [[nodiscard]] std::size_t size() const { return matrix_.trits.size(); }

  // The one scale of weights begin .. begin + count; 0 if all are zero.
  [[nodiscard]] float Scale(std::size_t begin, std::size_t count) const {
    float scale = 0;
    for (std::size_t i = begin; i < begin + count; ++i) {
      if (matrix_.trits[i] == 0) continue;
      const float own = matrix_.Scale(i / matrix_.cols, i % matrix_.cols);
      if (scale != 0 && own != scale) {
        throw std::runtime_error("more than one scale in a block");
      }
      scale = own;
    }
    return scale;
  }

 private:
  const ReferenceMatrix& matrix_;
};

void RequireBlocks(const ReferenceMatrix& matrix, std::size_t block) {
  if (matrix.cols % block != 0) throw std::runtime_error("part of a block");
}

// ceil(256 * digits / 243): five base-3 digits as a fraction of a byte.
unsigned Base3Byte(unsigned digits) { return (256 * digits + 242) / 243; }

// `count` codes at begin, begin + step, ..., the first the most significant
// digit of five.
unsigned Base3Codes(const Codes& codes, std::size_t begin, std::size_t step,
                    std::size_t count) {
  unsigned digits = 0;
  for (std::size_t n = 0; n < 5; ++n) {
    digits = digits * 3 + (n < count ? codes[begin + n * step] : 0);
  }
  return Base3Byte(digits);
}

// `step` bytes of four codes each at distance `step`, the first in the highest
// or the lowest bits.
void AppendInterleaved(const Codes& codes, std::size_t begin, std::size_t step,
                       bool first_high, std::string& bytes) {
  for (std::size_t p = 0; p < step; ++p) {
    unsigned byte = 0;
    for (std::size_t group = 0; group < 4; ++group) {
      const std::size_t shift = 2 * (first_high ? 3 - group : group);
      byte |= codes[begin + group * step + p] << shift;
    }
    AppendByte(byte, bytes);
  }
}

void AppendI2STail(const Codes& codes, std::string& bytes) {
  Append(codes.Scale(0, codes.size()), bytes);
  bytes.append(28, '\x5a');  // means nothing
}

std::string EncodeTq1(const ReferenceMatrix& matrix) {
  RequireBlocks(matrix, 256);
  const Codes codes(matrix);
  std::string bytes;
  for (std::size_t b = 0; b < codes.size(); b += 256) {
    for (std::size_t m = 0; m < 32; ++m) {
      AppendByte(Base3Codes(codes, b + m, 32, 5), bytes);
    }
    for (std::size_t m = 0; m < 16; ++m) {
      AppendByte(Base3Codes(codes, b + 160 + m, 16, 5), bytes);
    }
    for (std::size_t m = 0; m < 4; ++m) {
      AppendByte(Base3Codes(codes, b + 240 + m, 4, 4), bytes);
    }
    Append(HalfBits(codes.Scale(b, 256)), bytes);
  }
  return bytes;
}

std::string EncodePtq1(const ReferenceMatrix& matrix) {
  RequireBlocks(matrix, 128);
  const Codes codes(matrix);
  std::string bytes;
  for (std::size_t b = 0; b < codes.size(); b += 128) {
    for (std::size_t m = 0; m < 16; ++m) {
      AppendByte(Base3Codes(codes, b + m, 16, 5), bytes);
    }
    for (std::size_t m = 0; m < 8; ++m) {
      AppendByte(Base3Codes(codes, b + 80 + m, 8, 5), bytes);
    }
    for (std::size_t m = 0; m < 2; ++m) {
      AppendByte(Base3Codes(codes, b + 120 + m, 2, 4), bytes);
    }
    Append(HalfBits(codes.Scale(b, 128)), bytes);
  }
  return bytes;
}

std::string EncodeTq2(const ReferenceMatrix& matrix) {
  RequireBlocks(matrix, 256);
  const Codes codes(matrix);
  std::string bytes;
  for (std::size_t b = 0; b < codes.size(); b += 256) {
    AppendInterleaved(codes, b, 32, false, bytes);
    AppendInterleaved(codes, b + 128, 32, false, bytes);
    Append(HalfBits(codes.Scale(b, 256)), bytes);
  }
  return bytes;
}

// f16 scale, then four neighbours in a byte.
std::string EncodeQ2(const ReferenceMatrix& matrix, std::size_t block) {
  RequireBlocks(matrix, block);
  const Codes codes(matrix);
  std::string bytes;
  for (std::size_t b = 0; b < codes.size(); b += block) {
    Append(HalfBits(codes.Scale(b, block)), bytes);
    for (std::size_t j = b; j < b + block; j += 4) {
      AppendByte(
          codes[j] | codes[j + 1] << 2 | codes[j + 2] << 4 | codes[j + 3] << 6,
          bytes);
    }
  }
  return bytes;
}

// The codes of one row for ik_llama.cpp's types, which give a row of zeros the
// scale 0 and code 2 everywhere.
std::string EncodeIqBn(const ReferenceMatrix& matrix, bool base3) {
  RequireBlocks(matrix, 64);
  const Codes codes(matrix);
  std::string bytes;
  for (std::size_t row = 0; row < codes.size(); row += matrix.cols) {
    const float scale = codes.Scale(row, matrix.cols);
    const auto code = [&](std::size_t i) { return scale == 0 ? 2U : codes[i]; };
    if (base3) {
      Append(HalfBits(scale), bytes);
    } else {
      Append(scale, bytes);
    }
    for (std::size_t b = row; b < row + matrix.cols; b += 64) {
      if (!base3) {
        for (std::size_t j = b; j < b + 16; ++j) {
          AppendByte(code(j) | code(j + 16) << 2 | code(j + 32) << 4 |
                         code(j + 48) << 6,
                     bytes);
        }
        continue;
      }
      unsigned extra = 0;
      unsigned power = 1;
      for (std::size_t group = b; group < b + 64; group += 16) {
        for (std::size_t i = group; i < group + 15; i += 5) {
          AppendByte(Base3Byte(code(i) + 3 * code(i + 1) + 9 * code(i + 2) +
                               27 * code(i + 3) + 81 * code(i + 4)),
                     bytes);
        }
        extra += power * code(group + 15);
        power *= 3;
      }
      AppendByte(Base3Byte(extra), bytes);
    }
  }
  return bytes;
}

// Uniform in 0 .. bound - 1.
unsigned Below(unsigned bound, std::mt19937& random) {
  return static_cast<unsigned>(random() % bound);
}

// A binary16 near `value` with few bits, a little random.
float RandomScale(float value, std::mt19937& random) {
  const float exponent = std::exp2(std::floor(std::log2(value)) - 6);
  return exponent * static_cast<float>(64 + Below(64, random));
}

}  // namespace

std::uint16_t HalfBits(float value) {
  const unsigned sign = std::signbit(value) ? 0x8000U : 0U;
  const double magnitude = std::abs(static_cast<double>(value));
  unsigned bits = 0;
  if (magnitude >= std::ldexp(1, -14)) {
    const int exponent = std::ilogb(magnitude);
    // 1024 .. 2047, whose leading bit adds one to the exponent.
    const auto significand =
        static_cast<unsigned>(std::ldexp(magnitude, 10 - exponent));
    bits = (static_cast<unsigned>(exponent + 14) << 10) + significand;
  } else {
    bits = static_cast<unsigned>(std::ldexp(magnitude, 24));
  }
  const auto half = static_cast<std::uint16_t>(sign | bits);
  if (bits >= 0x7c00U || HalfToFloat(half) != value) {
    throw std::runtime_error("not an f16: " + std::to_string(value));
  }
  return half;
}

std::uint16_t Bf16Bits(float value) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof(bits));
  if ((bits & 0xffffU) != 0) {
    throw std::runtime_error("not a bf16: " + std::to_string(value));
  }
  return static_cast<std::uint16_t>(bits >> 16);
}

std::string EncodeFloats(const std::vector<float>& values, std::uint32_t type) {
  std::string bytes;
  for (const float value : values) {
    if (type == gguf::kF32) {
      Append(value, bytes);
    } else if (type == gguf::kF16) {
      Append(HalfBits(value), bytes);
    } else if (type == gguf::kBf16) {
      Append(Bf16Bits(value), bytes);
    } else {
      throw std::runtime_error("no float type");
    }
  }
  return bytes;
}

std::vector<float> ValuesOf(const ReferenceMatrix& matrix) {
  std::vector<float> values;
  for (std::size_t r = 0; r < matrix.rows; ++r) {
    for (std::size_t c = 0; c < matrix.cols; ++c) {
      values.push_back(matrix.Value(r, c));
    }
  }
  return values;
}

std::string EncodeGguf(const ReferenceMatrix& matrix, std::uint32_t type) {
  switch (type) {
    case gguf::kI2S:
      return EncodeI2S(matrix, 'A');
    case gguf::kTq1_0:
      return EncodeTq1(matrix);
    case gguf::kTq2_0:
      return EncodeTq2(matrix);
    case gguf::kQ2_0:
      return EncodeQ2(matrix, 64);
    case gguf::kPq2_0:
      return EncodeQ2(matrix, 128);
    case gguf::kPtq1_0:
      return EncodePtq1(matrix);
    case gguf::kIq1Bn:
      return EncodeIqBn(matrix, true);
    case gguf::kIq2Bn:
      return EncodeIqBn(matrix, false);
    default:
      return EncodeFloats(ValuesOf(matrix), type);
  }
}

std::string EncodeI2S(const ReferenceMatrix& matrix, char layout) {
  const Codes codes(matrix);
  std::string bytes;
  const std::size_t run = layout == 'A' ? 32 : layout == 'B' ? 16 : matrix.cols;
  if (codes.size() % (4 * run) != 0) throw std::runtime_error("I2_S shape");
  for (std::size_t b = 0; b < codes.size(); b += 4 * run) {
    AppendInterleaved(codes, b, run, true, bytes);
  }
  AppendI2STail(codes, bytes);
  return bytes;
}

std::string EncodeHuggingFace(const ReferenceMatrix& matrix) {
  const Codes codes(matrix);
  const std::size_t quarter = matrix.rows / 4;
  if (quarter * 4 != matrix.rows) throw std::runtime_error("rows % 4");
  std::string bytes;
  AppendInterleaved(codes, 0, quarter * matrix.cols, false, bytes);
  return bytes;
}

EncodedFloats RandomQ4(std::size_t count, float deviation,
                       std::mt19937& random) {
  EncodedFloats out;
  for (std::size_t b = 0; b < count; b += 32) {
    // A uniform number of 0 .. 15, less 8, has a deviation of 4.6.
    const float d = RandomScale(deviation / 4.6F, random);
    Append(HalfBits(d), out.bytes);
    std::vector<unsigned> q(32);
    for (unsigned& v : q) v = Below(16, random);
    for (std::size_t j = 0; j < 16; ++j) {
      AppendByte(q[j] | q[j + 16] << 4, out.bytes);
    }
    for (const unsigned v : q) {
      out.values.push_back(d * (static_cast<float>(v) - 8));
    }
  }
  return out;
}

EncodedFloats RandomQ6K(std::size_t count, float deviation,
                        std::mt19937& random) {
  EncodedFloats out;
  for (std::size_t b = 0; b < count; b += 256) {
    // Scales of about 60 on numbers of deviation 18.
    const float d = RandomScale(deviation / (60 * 18), random);
    std::vector<unsigned> q(256);
    for (unsigned& v : q) v = Below(64, random);
    std::vector<int> scales(16);
    for (int& s : scales) {
      s = static_cast<int>(Below(80, random)) + 20;
      if (Below(4, random) == 0) s = -s;
    }
    for (std::size_t h = 0; h < 256; h += 128) {  // low four bits
      for (std::size_t l = 0; l < 64; ++l) {
        AppendByte((q[h + l] & 15U) | (q[h + 64 + l] & 15U) << 4, out.bytes);
      }
    }
    for (std::size_t h = 0; h < 256; h += 128) {  // high two bits
      for (std::size_t l = 0; l < 32; ++l) {
        AppendByte(q[h + l] >> 4 | q[h + 32 + l] >> 4 << 2 |
                       q[h + 64 + l] >> 4 << 4 | q[h + 96 + l] >> 4 << 6,
                   out.bytes);
      }
    }
    for (const int s : scales) Append(static_cast<std::int8_t>(s), out.bytes);
    Append(HalfBits(d), out.bytes);
    for (std::size_t i = 0; i < 256; ++i) {
      out.values.push_back(d * static_cast<float>(scales[i / 16]) *
                           (static_cast<float>(q[i]) - 32));
    }
  }
  return out;
}

}  // namespace tern::testing
