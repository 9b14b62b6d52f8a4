// A screen's rows by what their codes mean, for the tests of its kernels.
#ifndef TERN_TESTS_TERNARY_KERNELS_SCREEN_CODES_H_
#define TERN_TESTS_TERNARY_KERNELS_SCREEN_CODES_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "ternary_kernels/head.h"
#include "tests/ternary_kernels/products.h"

namespace tern::kernels {

// More than are summed at a time, and no multiple of a tile's.
constexpr std::size_t kScreenRows = 67;

// Int8 rows or screened rows with room at an aligned address.
template <class T>
class Aligned {
 public:
  explicit Aligned(std::size_t size) : bytes_(size * sizeof(T)) {}
  T* data() { return reinterpret_cast<T*>(bytes_.Data()); }
  T& operator[](std::size_t i) { return data()[i]; }

 private:
  AlignedBytes bytes_;
};

struct Screened {
  explicit Screened(std::size_t columns)
      : cols(columns),
        words(kScreenRows * ScreenWords(cols)),
        fine_words(kScreenRows * FineWords(cols)),
        x(ScreenInputSize(cols)),
        steps(kScreenRows),
        residuals(kScreenRows),
        fine_residuals(kScreenRows),
        norms(kScreenRows),
        values(kScreenRows * cols),
        fine_values(kScreenRows * cols) {}
  [[nodiscard]] ScreenView View() {
    return {words.data(),          fine_words.data(),
            steps.data(),          residuals.data(),
            fine_residuals.data(), norms.data(),
            kScreenRows,           cols};
  }
  // The input with its sum.
  [[nodiscard]] ScreenInput Input() {
    std::int32_t sum = 0;
    for (std::size_t c = 0; c < cols; ++c) sum += x[c];
    return {x.data(), sum, 0.37F, 0.11F, 0.013F, 0.0017F};
  }
  // Column c of row r gets this code, of the 32 or 64 that it can have.
  void Set(std::size_t r, std::size_t c, int code) {
    const std::size_t w = ScreenWords(cols);
    const std::size_t field = c / w;
    words[r * w + c % w] =
        static_cast<std::uint16_t>(words[r * w + c % w] | code << (5 * field));
    values[r * cols + c] = field == 2 ? 2 * code - 63 : 4 * code - 62;
  }
  void SetFine(std::size_t r, std::size_t c, int code) {
    const std::size_t w = ScreenWords(cols);
    const std::size_t field = c / w;
    const std::size_t line = c % w / 32;
    // The places of a pair's two lines, in bits.
    constexpr int kPlaces[2][3] = {{0, 8, 6}, {3, 11, 14}};
    std::uint16_t& word =
        fine_words[r * FineWords(cols) + line / 2 * 32 + c % 32];
    word = static_cast<std::uint16_t>(word | code << kPlaces[line % 2][field]);
    fine_values[r * cols + c] = field == 2 ? 2 * code - 3 : 2 * code - 7;
  }
  [[nodiscard]] int Codes(std::size_t c) const {
    return c / ScreenWords(cols) == 2 ? 64 : 32;
  }
  [[nodiscard]] int FineCodes(std::size_t c) const {
    return c / ScreenWords(cols) == 2 ? 4 : 8;
  }

  std::size_t cols;
  Aligned<std::uint16_t> words;
  Aligned<std::uint16_t> fine_words;
  Aligned<std::int16_t> x;
  std::vector<float> steps;
  std::vector<float> residuals;
  std::vector<float> fine_residuals;
  std::vector<float> norms;
  std::vector<int> values;       // of the codes, in steps
  std::vector<int> fine_values;  // of the fine codes, in quarter steps
};

// Row r of values times x.
inline std::int64_t Sum(Screened& s, const std::vector<int>& values,
                        std::size_t r) {
  std::int64_t sum = 0;
  for (std::size_t c = 0; c < s.cols; ++c) {
    sum += std::int64_t{values[r * s.cols + c]} * s.x[c];
  }
  return sum;
}

}  // namespace tern::kernels

#endif  // TERN_TESTS_TERNARY_KERNELS_SCREEN_CODES_H_
