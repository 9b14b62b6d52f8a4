// Weights, activations and exact products for the kernels' tests.
#ifndef TERN_TESTS_TERNARY_KERNELS_PRODUCTS_H_
#define TERN_TESTS_TERNARY_KERNELS_PRODUCTS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "packing/ternary_matrix.h"
#include "packing/tiles.h"
#include "ternary_kernels/reference.h"
#include "ternary_kernels/targets.h"
#include "ternary_kernels/ternary_view.h"

namespace tern::kernels {

// Aligned to 64, and no longer than the kernels were promised to a cache line.
struct alignas(64) Line {
  std::uint8_t bytes[64];
};
class AlignedBytes {
 public:
  // At least one line, so that there is an address.
  explicit AlignedBytes(std::size_t size)
      : lines_(size < 64 ? 1 : (size + 63) / 64) {}
  std::uint8_t* Data() { return lines_.front().bytes; }
  [[nodiscard]] const std::uint8_t* Data() const {
    return lines_.front().bytes;
  }

 private:
  std::vector<Line> lines_;
};

using CodeAt = std::function<unsigned(std::size_t row, std::size_t col)>;
using ValueAt = std::function<int(std::size_t col)>;

// A matrix in tiles.
class Weights {
 public:
  Weights(std::size_t rows, std::size_t cols, const CodeAt& code)
      : tiles_(packing::TilesBytes(rows, cols)), rows_(rows), cols_(cols) {
    packing::TernaryMatrix matrix;
    matrix.rows = rows;
    matrix.cols = cols;
    const std::size_t row_bytes = packing::TernaryMatrix::RowBytes(cols);
    matrix.codes.assign(rows * row_bytes, 0x55);
    for (std::size_t r = 0; r < rows; ++r) {
      for (std::size_t c = 0; c < cols; ++c) {
        std::uint8_t& byte = matrix.codes[r * row_bytes + c / 4];
        const unsigned shift = 2 * (c % 4);
        byte = static_cast<std::uint8_t>((byte & ~(3U << shift)) |
                                         code(r, c) << shift);
      }
    }
    packing::FillTiles(matrix, 0, rows, tiles_.Data());
  }
  [[nodiscard]] TernaryView View() const {
    return {tiles_.Data(), rows_, cols_};
  }

 private:
  AlignedBytes tiles_;
  std::size_t rows_;
  std::size_t cols_;
};

inline Weights RandomWeights(std::size_t rows, std::size_t cols,
                             unsigned seed) {
  std::mt19937 random(seed);
  return Weights(rows, cols,
                 [&](std::size_t, std::size_t) { return random() % 3; });
}

inline std::vector<std::int8_t> Activations(std::size_t size,
                                            const ValueAt& value) {
  std::vector<std::int8_t> x(size);
  for (std::size_t i = 0; i < size; ++i) {
    x[i] = static_cast<std::int8_t>(value(i));
  }
  return x;
}

inline std::vector<std::int8_t> RandomActivations(std::size_t size,
                                                  unsigned seed) {
  std::mt19937 random(seed);
  return Activations(size, [&](std::size_t) {
    return static_cast<int>(random() % 255) - 127;
  });
}

// What drives the narrow sums to their bounds.
struct Named {
  std::string name;
  CodeAt code;
  ValueAt value;
};
inline std::vector<Named> ExtremeProducts() {
  const std::vector<std::pair<std::string, CodeAt>> weights = {
      {"all +1", [](std::size_t, std::size_t) { return 2U; }},
      {"all -1", [](std::size_t, std::size_t) { return 0U; }},
      {"+1 and -1 in turn",
       [](std::size_t r, std::size_t c) { return (r + c) % 2 * 2U; }}};
  const std::vector<std::pair<std::string, ValueAt>> values = {
      {"all +127", [](std::size_t) { return 127; }},
      {"all -127", [](std::size_t) { return -127; }},
      {"+127 and -127 in turn",
       [](std::size_t c) { return c % 2 == 0 ? 127 : -127; }},
      // 1 + 0 + 254 = 255: the low part of a nibble's sum is full, 15.
      {"1 and 0 in turn", [](std::size_t c) { return c % 2 == 0 ? 1 : 0; }},
      {"only column 5", [](std::size_t c) { return c == 5 ? -127 : 0; }}};
  std::vector<Named> products;
  for (const auto& [weight_name, code] : weights) {
    for (const auto& [value_name, value] : values) {
      std::string name = "weights ";
      name.append(weight_name).append(", x ").append(value_name);
      products.push_back({name, code, value});
    }
  }
  return products;
}

// y[rows] = W x by the plain loops.
inline std::vector<std::int32_t> ReferenceProduct(const TernaryView& w,
                                                  const std::int8_t* x) {
  std::vector<std::int32_t> sums(w.rows);
  reference::MatVec(w, x, 0, w.rows, 0, w.cols, sums.data());
  return sums;
}

// Runs every test on every instruction set that this machine has.
class EveryTarget : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override { ASSERT_TRUE(ForceTarget(GetParam())); }
  void TearDown() override { ForceTarget(SupportedTargets().front()); }
};
inline std::string TargetName(const testing::TestParamInfo<std::string>& test) {
  return test.param;
}

}  // namespace tern::kernels

#endif  // TERN_TESTS_TERNARY_KERNELS_PRODUCTS_H_
