#include "bench/yardstick.h"

#include <algorithm>

#include "ternary_kernels/reference.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define TERN_AVX2 __attribute__((target("avx2")))
#endif

namespace tern::bench {
namespace {

constexpr std::size_t kBlock = 128;  // columns in 32 bytes

#if defined(__x86_64__)

struct Product {
  const std::uint8_t* codes;  // [rows][cols / 4]
  const std::int8_t* x;       // [tokens][cols]
  std::size_t tokens;
  std::size_t rows;
  std::int32_t* y;             // [tokens][rows]
  const std::int32_t* x_sums;  // [tokens]: codes are weights + 1
};

template <std::size_t kCols>
TERN_AVX2 inline void UnpackRow(const std::uint8_t* codes, std::uint8_t* u) {
  const __m256i mask = _mm256_set1_epi8(3);
  for (std::size_t b = 0; b < kCols / kBlock; ++b) {
    const __m256i v =
        _mm256_loadu_si256(reinterpret_cast<const __m256i*>(codes + b * 32));
    for (int s = 0; s < 4; ++s) {
      _mm256_store_si256(
          reinterpret_cast<__m256i*>(u + b * kBlock + s * 32),
          _mm256_and_si256(_mm256_srli_epi16(v, 6 - 2 * s), mask));
    }
  }
}

// Row `row`, unpacked to u [kCols], against kTokens tokens from token n on.
// 16-bit sums hold 1024 columns: 32 additions of at most 2 * 2 * 127.
template <std::size_t kCols, std::size_t kTokens>
TERN_AVX2 inline void RowTimesTokens(const Product& p, const std::uint8_t* u,
                                     std::size_t row, std::size_t n) {
  const __m256i ones = _mm256_set1_epi16(1);
  __m256i a[kTokens] = {};
  for (std::size_t b = 0; b < kCols; b += 1024) {
    __m256i s[kTokens] = {};
    for (std::size_t k = b; k < std::min(kCols, b + 1024); k += 32) {
      const __m256i w =
          _mm256_load_si256(reinterpret_cast<const __m256i*>(u + k));
      for (std::size_t j = 0; j < kTokens; ++j) {
        const __m256i x = _mm256_loadu_si256(
            reinterpret_cast<const __m256i*>(p.x + (n + j) * kCols + k));
        s[j] = _mm256_add_epi16(s[j], _mm256_maddubs_epi16(w, x));
      }
    }
    for (std::size_t j = 0; j < kTokens; ++j) {
      a[j] = _mm256_add_epi32(a[j], _mm256_madd_epi16(s[j], ones));
    }
  }
  for (std::size_t j = 0; j < kTokens; ++j) {
    alignas(32) std::int32_t lanes[8];
    _mm256_store_si256(reinterpret_cast<__m256i*>(lanes), a[j]);
    std::int32_t sum = 0;
    for (const std::int32_t lane : lanes) sum += lane;
    p.y[(n + j) * p.rows + row] = sum - p.x_sums[n + j];
  }
}

template <std::size_t kCols>
TERN_AVX2 void Rows(const Product& p, std::size_t row_begin,
                    std::size_t row_end) {
  alignas(32) std::uint8_t u[kCols];
  for (std::size_t row = row_begin; row < row_end; ++row) {
    UnpackRow<kCols>(p.codes + row * kCols / 4, u);
    std::size_t n = 0;
    for (; n + 4 <= p.tokens; n += 4) RowTimesTokens<kCols, 4>(p, u, row, n);
    for (; n < p.tokens; ++n) RowTimesTokens<kCols, 1>(p, u, row, n);
  }
}

#endif  // __x86_64__

}  // namespace

bool HasYardstick() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx2") != 0;
#else
  return false;
#endif
}

Yardstick::Yardstick(const kernels::TernaryView& w)
    : rows_(w.rows), cols_(w.cols), codes_(w.rows * w.cols / 4) {
  for (std::size_t r = 0; r < rows_; ++r) {
    for (std::size_t c = 0; c < cols_; ++c) {
      const std::size_t byte = c / kBlock * 32 + c % 32;
      const std::size_t shift = 6 - 2 * (c % kBlock / 32);
      codes_[r * cols_ / 4 + byte] =
          static_cast<std::uint8_t>(codes_[r * cols_ / 4 + byte] |
                                    kernels::reference::Code(w, r, c) << shift);
    }
  }
}

void Yardstick::MatMul(const std::int8_t* x, std::size_t tokens,
                       std::size_t row_begin, std::size_t row_end,
                       std::int32_t* y) const {
#if defined(__x86_64__)
  std::vector<std::int32_t> x_sums(tokens);
  for (std::size_t t = 0; t < tokens; ++t) {
    for (std::size_t c = 0; c < cols_; ++c) x_sums[t] += x[t * cols_ + c];
  }
  const Product p{codes_.data(), x, tokens, rows_, y, x_sums.data()};
  if (cols_ == 2560) Rows<2560>(p, row_begin, row_end);
  if (cols_ == 6912) Rows<6912>(p, row_begin, row_end);
#else
  (void)x, (void)tokens, (void)row_begin, (void)row_end, (void)y;
#endif
}

}  // namespace tern::bench
