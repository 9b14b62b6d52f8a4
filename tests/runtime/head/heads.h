// Output heads for tests: random ones, and those that are hard to screen.
#ifndef TERN_TESTS_RUNTIME_HEAD_HEADS_H_
#define TERN_TESTS_RUNTIME_HEAD_HEADS_H_

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "packing/half.h"
#include "runtime/aligned_buffer.h"
#include "runtime/parallel.h"
#include "ternary_kernels/dense.h"
#include "ternary_kernels/targets.h"

namespace tern::test {

// A matrix of floats in a stored type.
class StoredHead {
 public:
  StoredHead(kernels::DenseType type, std::size_t rows, std::size_t cols,
             const std::vector<float>& values)
      : type_(type), rows_(rows), cols_(cols) {
    bytes_.resize(rows * kernels::DenseRowBytes(type, cols));
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (type == kernels::DenseType::kF32) {
        std::memcpy(bytes_.data() + i * 4, &values[i], 4);
        continue;
      }
      const std::uint16_t half = type == kernels::DenseType::kF16
                                     ? packing::F32ToF16(values[i])
                                     : packing::F32ToBf16(values[i]);
      std::memcpy(bytes_.data() + i * 2, &half, 2);
    }
  }
  [[nodiscard]] kernels::DenseView View() const {
    return {type_, bytes_.data(), rows_, cols_};
  }
  [[nodiscard]] std::size_t rows() const { return rows_; }
  [[nodiscard]] std::size_t cols() const { return cols_; }

  [[nodiscard]] std::vector<float> Logits(const std::vector<float>& x) const {
    std::vector<float> y(rows_);
    AlignedBuffer<std::uint8_t> scratch(kernels::kDenseScratchBytes);
    kernels::DenseMatMul(View(),
                         {.x = x.data(),
                          .x_stride = cols_,
                          .tokens = 1,
                          .row_begin = 0,
                          .row_end = rows_,
                          .y = y.data(),
                          .y_stride = rows_},
                         scratch.data());
    return y;
  }
  [[nodiscard]] std::vector<float> Row(std::size_t row) const {
    std::vector<float> values(cols_);
    kernels::DenseRow(View(), row, values.data());
    return values;
  }

 private:
  kernels::DenseType type_;
  std::size_t rows_;
  std::size_t cols_;
  std::vector<std::uint8_t> bytes_;
};

inline std::vector<float> Normals(std::size_t size, float deviation,
                                  unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, deviation);
  std::vector<float> values(size);
  for (float& v : values) v = normal(random);
  return values;
}

struct HeadCase {
  std::string name;
  // The value at a row and column, given a normal random number.
  std::function<float(std::size_t row, std::size_t col, float normal)> value;
};
inline std::vector<HeadCase> HeadCases() {
  return {
      {"normal", [](std::size_t, std::size_t, float n) { return n; }},
      {"all rows equal", [](std::size_t, std::size_t c,
                            float) { return std::sin(static_cast<float>(c)); }},
      {"rows that come in eights, equal",
       [](std::size_t r, std::size_t c, float) {
         return std::sin(static_cast<float>(c * (1 + (r >> 3U))));
       }},
      {"small numbers of few values",  // ties between different rows
       [](std::size_t, std::size_t, float n) { return std::round(n); }},
      {"huge rows among small",
       [](std::size_t r, std::size_t, float n) {
         return r % 13 == 0 ? 3000 * n : n;
       }},
      {"zero rows",
       [](std::size_t r, std::size_t, float n) { return r % 3 ? 0 : n; }},
      {"all zero but one",
       [](std::size_t r, std::size_t, float n) { return r == 70 ? n : 0; }},
      {"too small for normal numbers",
       [](std::size_t r, std::size_t, float n) {
         return n * (r % 2 ? 1e-7F : 1e-40F);
       }},
      {"one outlying column", [](std::size_t, std::size_t c,
                                 float n) { return c == 17 ? 200 * n : n; }},
      {"one outlying weight a row",
       [](std::size_t r, std::size_t c, float n) {
         return c == r % 31 ? 100 * n : 0.01F * n;
       }},
      {"half zero, half large",
       [](std::size_t, std::size_t c, float n) { return c % 2 ? 0 : 50 * n; }},
  };
}

inline StoredHead MakeHeadCase(const HeadCase& head, kernels::DenseType type,
                               std::size_t rows, std::size_t cols,
                               unsigned seed) {
  std::vector<float> values = Normals(rows * cols, 1, seed);
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < cols; ++c) {
      float& v = values[r * cols + c];
      v = head.value(r, c, v);
    }
  }
  return {type, rows, cols, values};
}

// Inputs that are easy and hard to quantise.
inline std::vector<std::pair<std::string, std::vector<float>>> Inputs(
    std::size_t cols, unsigned seed) {
  std::vector<std::pair<std::string, std::vector<float>>> inputs = {
      {"normal", Normals(cols, 1, seed)},
      {"tiny", Normals(cols, 1e-30F, seed + 1)},
      {"below normal numbers", Normals(cols, 1e-41F, seed + 2)},
      {"large", Normals(cols, 1e20F, seed + 3)},
      {"zero", std::vector<float>(cols)},
      {"a small outlier", Normals(cols, 1, seed + 5)},
      {"an outlier", Normals(cols, 1, seed + 4)},
  };
  inputs.back().second[cols / 3] = 5000;
  inputs[inputs.size() - 2].second[cols / 3] = 30;
  return inputs;
}

// For tests that force targets: the best one is back afterwards.
class EachTargetTest : public ::testing::Test {
 protected:
  void TearDown() override {
    kernels::ForceTarget(kernels::SupportedTargets().front());
  }
};

}  // namespace tern::test

#endif  // TERN_TESTS_RUNTIME_HEAD_HEADS_H_
