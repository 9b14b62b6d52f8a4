// The kernels of the output head against plain loops, bit for bit, on every
// target that this CPU has.
#include "ternary_kernels/head.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "packing/half.h"
#include "tests/ternary_kernels/products.h"
#include "tests/ternary_kernels/screen_codes.h"

namespace tern::kernels {
namespace {

class HeadTest : public EveryTarget {
 protected:
  int Below(int limit) { return static_cast<int>(random_() % unsigned(limit)); }
  float Normal() { return normal_(random_); }

 private:
  std::mt19937 random_{1};
  std::normal_distribution<float> normal_;
};
INSTANTIATE_TEST_SUITE_P(Targets, HeadTest,
                         testing::ValuesIn(SupportedTargets()), TargetName);

constexpr std::size_t kColumns[] = {1, 2, 31, 64, 95, 96, 97, 384, 768, 2560};
constexpr std::size_t kRows = kScreenRows;

TEST_P(HeadTest, Int8RowsEqualPlainLoops) {
  for (const std::size_t cols : kColumns) {
    for (const bool extreme : {false, true}) {
      // The largest inputs that the contract allows.
      const int most = static_cast<int>(
          std::min<std::size_t>(32767, 0x7FFFFFFF / (127 * cols)));
      const std::size_t stride = Int8RowStride(cols);
      Aligned<std::int8_t> w(kRows * stride);
      Aligned<std::int16_t> x(stride);
      std::vector<float> scales(kRows);
      for (std::size_t c = 0; c < cols; ++c) {
        x[c] = static_cast<std::int16_t>(extreme ? (c % 2 == 0 ? most : -most)
                                                 : Below(2 * most + 1) - most);
        for (std::size_t r = 0; r < kRows; ++r) {
          const int sign = (c + r) % 2 == 0 ? 1 : -1;
          w[r * stride + c] =
              static_cast<std::int8_t>(extreme ? 127 * sign : Below(255) - 127);
        }
      }
      for (float& s : scales) s = Normal();
      std::vector<float> y(kRows, NAN);
      Int8RowsMatVec({w.data(), scales.data(), kRows, cols}, x.data(), 0.37F, 1,
                     kRows, y.data());
      EXPECT_TRUE(std::isnan(y[0]));
      for (std::size_t r = 1; r < kRows; ++r) {
        std::int64_t sum = 0;
        for (std::size_t c = 0; c < cols; ++c) sum += w[r * stride + c] * x[c];
        ASSERT_EQ(y[r], static_cast<float>(sum) * (scales[r] * 0.37F))
            << cols << " " << r;
      }
    }
  }
}

TEST_P(HeadTest, TheScreenEqualsPlainLoops) {
  for (const std::size_t cols : kColumns) {
    for (const bool extreme : {false, true}) {
      const int most = static_cast<int>(
          std::min<std::size_t>(32767, 0x7FFFFFFF / (63 * cols)));
      Screened s(cols);
      for (std::size_t c = 0; c < cols; ++c) {
        s.x[c] = static_cast<std::int16_t>(
            extreme ? (c % 2 == 0 ? most : -most) : Below(2 * most + 1) - most);
        for (std::size_t r = 0; r < kRows; ++r) {
          s.Set(r, c,
                extreme ? ((c + r) % 2 == 0 ? s.Codes(c) - 1 : 0)
                        : Below(s.Codes(c)));
          s.SetFine(r, c,
                    extreme ? ((c + r) % 2 == 0 ? s.FineCodes(c) - 1 : 0)
                            : Below(s.FineCodes(c)));
        }
      }
      for (std::size_t r = 0; r < kRows; ++r) {
        s.steps[r] = Normal();
        s.residuals[r] = std::fabs(Normal());
        s.fine_residuals[r] = std::fabs(Normal());
        s.norms[r] = std::fabs(Normal());
      }
      std::vector<float> estimates(kRows, NAN);
      std::vector<float> bounds(kRows, NAN);
      Screen(s.View(), s.Input(), 1, kRows, estimates.data(), bounds.data());
      EXPECT_TRUE(std::isnan(estimates[0]) && std::isnan(bounds[0]));
      std::vector<std::uint32_t> some;
      for (std::size_t r = 1; r < kRows; ++r) {
        const auto sum = static_cast<float>(Sum(s, s.values, r));
        const float estimate = sum * (s.steps[r] * 0.37F);
        const float of_norm = s.norms[r] * 0.013F + 0.0017F;
        const float margin = s.residuals[r] * 0.11F + of_norm;
        ASSERT_EQ(estimates[r], estimate) << cols << " " << r;
        ASSERT_EQ(bounds[r], estimate + margin) << cols << " " << r;
        if (r % 3 == 0) some.push_back(static_cast<std::uint32_t>(r));
      }
      const std::vector<float> first = bounds;
      ScreenFine(s.View(), s.Input(), some.data(), some.size(),
                 estimates.data(), bounds.data());
      for (std::size_t r = 1; r < kRows; ++r) {
        const auto sum = static_cast<float>(Sum(s, s.fine_values, r));
        const float estimate =
            estimates[r] + sum * (s.steps[r] * 0.37F * 0.25F);
        const float of_norm = s.norms[r] * 0.013F + 0.0017F;
        const float margin = s.fine_residuals[r] * 0.11F + of_norm;
        ASSERT_EQ(bounds[r], r % 3 == 0 ? estimate + margin : first[r])
            << cols << " " << r;
      }
    }
  }
}

TEST_P(HeadTest, RefinedRowsAreThoseOfTheWholeProduct) {
  const std::size_t cols = 100;
  std::vector<std::uint16_t> w(kRows * cols);
  for (std::uint16_t& v : w) v = packing::F32ToF16(Normal());
  std::vector<float> x(cols);
  for (float& v : x) v = Normal();
  const DenseView view{DenseType::kF16,
                       reinterpret_cast<const std::uint8_t*>(w.data()), kRows,
                       cols};
  std::vector<float> all(kRows);
  DenseMatMul(view, {x.data(), cols, 1, 0, kRows, all.data(), kRows}, nullptr);
  // Alone, in runs, the first and the last.
  const std::vector<std::uint32_t> rows = {0,  2,  3,  4,  5,  6,  9,
                                           30, 31, 40, 50, 51, 52, 66};
  std::vector<float> y(kRows, -1.0F);
  RefineRows(view, x.data(), rows.data(), rows.size(), y.data());
  std::size_t next = 0;
  for (std::size_t r = 0; r < kRows; ++r) {
    const bool refined = next < rows.size() && rows[next] == r;
    ASSERT_EQ(y[r], refined ? all[r] : -1.0F) << r;
    next += refined ? 1 : 0;
  }
  RefineRows(view, x.data(), rows.data(), 0, nullptr);
}

}  // namespace
}  // namespace tern::kernels
