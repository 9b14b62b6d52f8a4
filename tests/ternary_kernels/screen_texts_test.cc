// The screen of several tokens at once against plain loops, bit for bit, on
// every target that this CPU has.
#include "ternary_kernels/screen_texts.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "packing/half.h"
#include "tests/ternary_kernels/products.h"
#include "tests/ternary_kernels/screen_codes.h"

namespace tern::kernels {
namespace {

constexpr std::size_t kRows = kScreenRows;

class ScreenTextsTest : public EveryTarget {
 protected:
  int Below(int limit) { return static_cast<int>(random_() % unsigned(limit)); }
  float Normal() { return normal_(random_); }

  // Codes at random, or all the largest or smallest.
  Screened MakeRows(std::size_t cols, bool extreme) {
    Screened s(cols);
    for (std::size_t r = 0; r < kRows; ++r) {
      s.steps[r] = Normal();
      s.fine_residuals[r] = std::fabs(Normal());
      s.norms[r] = std::fabs(Normal());
      for (std::size_t c = 0; c < cols; ++c) {
        // Rows of all codes the largest, of none, and of both in turn.
        const bool high = r % 3 == 0 || (r % 3 == 1 && c % 2 == 0);
        s.Set(r, c, extreme ? (high ? s.Codes(c) - 1 : 0) : Below(s.Codes(c)));
        s.SetFine(
            r, c,
            extreme ? (high ? s.FineCodes(c) - 1 : 0) : Below(s.FineCodes(c)));
      }
    }
    return s;
  }

  // The digits of texts, and what they are together.
  struct Texts {
    Aligned<std::uint8_t> packed;
    std::vector<ScreenText> texts;
    std::vector<std::vector<int>> x;
  };
  Texts MakeTexts(const ByteRowsView& w, const std::vector<std::size_t>& digits,
                  bool extreme) {
    const std::size_t cols = w.cols;
    const std::size_t bytes = ScreenDigitBytes(cols);
    Texts t{Aligned<std::uint8_t>(kMostScreenDigits * bytes), {}, {}};
    // 255 * |x[c]| summed must stay below 2^31.
    const int most = static_cast<int>(0x7FFFFFFF / (255 * cols));
    Aligned<std::int16_t> digit(ScreenInputSize(cols));
    std::size_t at = 0;
    for (const std::size_t count : digits) {
      std::vector<int> x(cols, 0);
      for (std::size_t d = 0; d < count; ++d) {
        const bool first = d == 0 && count == 2;
        const int limit = first ? std::min(127, most / 128 - 1) : 127;
        for (std::size_t c = 0; c < cols; ++c) {
          const int high = t.x.size() % 2 == 0 || c % 2 == 0 ? limit : -limit;
          const int v = extreme ? high : Below(2 * limit + 1) - limit;
          digit[c] = static_cast<std::int16_t>(v);
          x[c] += first ? 128 * v : v;
        }
        PackScreenDigit(w, digit.data(), t.packed.data() + at++ * bytes);
      }
      ScreenText text;
      text.digits = count;
      for (const int v : x) text.input.sum += v;
      text.input.scale = 0.37F + Normal();
      t.texts.push_back(text);
      t.x.push_back(std::move(x));
    }
    return t;
  }

 private:
  std::mt19937 random_{1};
  std::normal_distribution<float> normal_;
};
INSTANTIATE_TEST_SUITE_P(Targets, ScreenTextsTest,
                         testing::ValuesIn(SupportedTargets()), TargetName);

// The 8-bit number of a column as 2 b - 255.
std::int64_t Number(const Screened& s, std::size_t r, std::size_t c) {
  const int first = s.values[r * s.cols + c];
  return 4 * first + s.fine_values[r * s.cols + c];
}

TEST_P(ScreenTextsTest, EqualsPlainLoops) {
  const std::vector<std::vector<std::size_t>> some_digits = {
      {1},
      {2},
      {1, 1},
      {1, 2, 1},
      {1, 1, 1, 1, 1, 1, 1},
      {2, 1, 2, 2, 1, 1, 2},
      std::vector<std::size_t>(32, 2)};
  for (const std::size_t cols : {1U, 31U, 95U, 97U, 193U, 768U, 2560U, 5700U}) {
    for (const bool extreme : {false, true}) {
      Screened s = MakeRows(cols, extreme);
      for (const auto& digits : some_digits) {
        // All widths with few texts, few widths with many.
        if (digits.size() > 8 && cols > 200) continue;
        const ByteRowsView rows = HeldBytes(s.View(), {});
        const Texts t = MakeTexts(rows, digits, extreme);
        const std::size_t stride = kRows + 3;
        std::vector<float> estimates(digits.size() * stride, 5.0F);
        Texts copy = t;
        ScreenTexts(rows,
                    {copy.packed.data(), t.texts.data(), t.texts.size(),
                     estimates.data(), stride},
                    1, kRows);
        for (std::size_t i = 0; i < digits.size(); ++i) {
          ASSERT_EQ(estimates[i * stride], 5.0F);
          for (std::size_t r = 1; r < kRows; ++r) {
            std::int64_t sum = 0;
            for (std::size_t c = 0; c < cols; ++c) {
              sum += Number(s, r, c) * t.x[i][c];
            }
            ASSERT_EQ(static_cast<std::int32_t>(sum), sum);
            const float step = s.steps[r] * t.texts[i].input.scale;
            ASSERT_EQ(estimates[i * stride + r],
                      static_cast<float>(sum) * (step * 0.25F))
                << cols << " columns, text " << i << " of " << digits.size()
                << ", row " << r;
          }
          ASSERT_EQ(estimates[i * stride + kRows], 5.0F);
        }
      }
    }
  }
}

// Floats in a stored type, and the steps of their rows.
struct Stored {
  Stored(DenseType t, std::size_t columns)
      : type(t), cols(columns), bytes(kRows * DenseRowBytes(t, cols)) {}
  void Set(std::size_t r, std::size_t c, float value) {
    if (type == DenseType::kF32) {
      std::memcpy(bytes.data() + (r * cols + c) * 4, &value, 4);
      return;
    }
    const std::uint16_t half = type == DenseType::kF16
                                   ? packing::F32ToF16(value)
                                   : packing::F32ToBf16(value);
    std::memcpy(bytes.data() + (r * cols + c) * 2, &half, 2);
  }
  [[nodiscard]] std::vector<float> Row(std::size_t r) const {
    std::vector<float> row(cols);
    DenseRow(View().stored, r, row.data());
    return row;
  }
  [[nodiscard]] ByteRowsView View() const {
    return {.stored = {type, bytes.data(), kRows, cols},
            .steps = steps.data(),
            .rows = kRows,
            .cols = cols};
  }
  DenseType type;
  std::size_t cols;
  std::vector<std::uint8_t> bytes;
  std::vector<float> steps;
};

TEST_P(ScreenTextsTest, RoundedRowsEqualPlainLoops) {
  for (const DenseType type :
       {DenseType::kF16, DenseType::kBf16, DenseType::kF32}) {
    for (const std::size_t cols : {1U, 63U, 64U, 95U, 130U, 768U, 2690U}) {
      Stored s(type, cols);
      for (std::size_t r = 0; r < kRows; ++r) {
        const float size = r % 7 == 0 ? 1e-30F : (r % 5 == 0 ? 0 : 1);
        for (std::size_t c = 0; c < cols; ++c) {
          // Among others the largest, of either sign, and whole codes.
          const int kind = Below(4);
          const float value = kind == 0   ? 3.0F
                              : kind == 1 ? -3.0F
                              : kind == 2 ? 0.75F * float(Below(4))
                                          : std::clamp(Normal(), -3.0F, 3.0F);
          s.Set(r, c, size * value);
        }
        const std::vector<float> row = s.Row(r);
        float largest = 0;
        for (const float v : row) largest = std::max(largest, std::fabs(v));
        s.steps.push_back(largest / 127 * 2);
      }
      const std::vector<std::size_t> digits = {1, 2, 1, 1, 1};
      const Texts t = MakeTexts(s.View(), digits, false);
      std::vector<float> estimates(digits.size() * kRows, 5.0F);
      Texts copy = t;
      ScreenTexts(s.View(),
                  {copy.packed.data(), t.texts.data(), t.texts.size(),
                   estimates.data(), kRows},
                  1, kRows);
      for (std::size_t r = 1; r < kRows; ++r) {
        const std::vector<float> row = s.Row(r);
        const float levels = s.steps[r] > 0 ? 2 / s.steps[r] : 0;
        std::vector<std::int64_t> codes;
        for (const float w : row) {
          const float position = w * levels;
          codes.push_back(static_cast<int>(std::nearbyint(position)));
          ASSERT_LE(std::abs(codes.back()), 127);
        }
        for (std::size_t i = 0; i < digits.size(); ++i) {
          std::int64_t sum = 0;
          for (std::size_t c = 0; c < cols; ++c) {
            sum += 2 * codes[c] * t.x[i][c];
          }
          const float step = s.steps[r] * t.texts[i].input.scale;
          ASSERT_EQ(estimates[i * kRows + r],
                    static_cast<float>(sum) * (step * 0.25F))
              << cols << " columns, text " << i << ", row " << r;
        }
      }
    }
  }
}

TEST_P(ScreenTextsTest, OpenRowsAreThoseWhoseBoundsReachTheCut) {
  Screened s = MakeRows(40, false);
  ScreenInput in;
  in.residual_factor = 0.11F;
  in.norm_factor = 0.013F;
  in.slack = 0.0017F;
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  std::vector<float> estimates(kRows);
  for (float& e : estimates) e = Normal();
  estimates[5] = kInfinity;
  estimates[6] = -kInfinity;
  const auto bound = [&](std::size_t r) {
    const float of_norm = s.norms[r] * in.norm_factor + in.slack;
    return estimates[r] + (s.fine_residuals[r] * in.residual_factor + of_norm);
  };
  for (const float cut : {-kInfinity, -1.0F, bound(9), 0.3F, kInfinity}) {
    std::vector<std::uint32_t> masks(kRows, 1);
    OpenRows(HeldBytes(s.View(), {}), {in, estimates.data(), cut, 4}, 2, kRows,
             masks.data());
    for (std::size_t r = 2; r < kRows; ++r) {
      ASSERT_EQ(masks[r - 2], bound(r) < cut ? 1U : 5U) << r << " " << cut;
    }
    EXPECT_EQ(masks[kRows - 2], 1U);
  }
}

TEST_P(ScreenTextsTest, OpenRowsAreRefinedForTheirTextsAlone) {
  const std::size_t cols = 100;
  const std::size_t texts = 32;
  std::vector<std::uint16_t> w(kRows * cols);
  for (std::uint16_t& v : w) v = packing::F32ToF16(Normal());
  std::vector<float> x(texts * cols);
  for (float& v : x) v = Normal();
  const DenseView view{DenseType::kF16,
                       reinterpret_cast<const std::uint8_t*>(w.data()), kRows,
                       cols};
  std::vector<std::uint32_t> masks(kRows - 3);
  for (std::uint32_t& mask : masks) {
    if (Below(3) != 0) mask = static_cast<std::uint32_t>(Below(1 << 30)) << 2;
  }
  masks.back() = 0;
  std::vector<float> y(texts * kRows, -1.0F);
  RefineOpenRows(view, {masks.data(), 2, kRows - 1, x.data(), y.data(), kRows});
  for (std::size_t t = 0; t < texts; ++t) {
    std::vector<float> all(kRows);
    DenseMatMul(view,
                {x.data() + t * cols, cols, 1, 0, kRows, all.data(), kRows},
                nullptr);
    for (std::size_t r = 0; r < kRows; ++r) {
      const bool open =
          r >= 2 && r < kRows - 1 && (masks[r - 2] >> t & 1U) != 0;
      ASSERT_EQ(y[t * kRows + r], open ? all[r] : -1.0F) << r << " " << t;
    }
  }
}

}  // namespace
}  // namespace tern::kernels
