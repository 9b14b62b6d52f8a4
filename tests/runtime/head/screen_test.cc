// No logit may lie above its bound: of any row, for any input, on any target.
#include "runtime/head/screen.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "runtime/head/rounded_rows.h"
#include "runtime/head/screened_texts.h"
#include "runtime/head/wide_input.h"
#include "ternary_kernels/targets.h"
#include "tests/runtime/head/heads.h"

namespace tern {
namespace {

using kernels::DenseType;
using test::HeadCase;
using test::HeadCases;
using test::Inputs;
using test::MakeHeadCase;
using test::Normals;
using test::StoredHead;

struct Bounds {
  std::vector<float> estimates;
  std::vector<float> bounds;
  std::vector<float> fine;
};

// Empty if there is no bound.
Bounds BoundsOf(const ScreenRows& screen, const std::vector<float>& x) {
  AlignedBuffer<std::int16_t> q(kernels::ScreenInputSize(screen.cols));
  const auto input = PrepareScreenInput(screen, x.data(), q.data());
  if (!input) return {};
  Bounds b;
  for (auto* v : {&b.estimates, &b.bounds, &b.fine}) v->resize(screen.rows);
  kernels::Screen(screen.View(), *input, 0, screen.rows, b.estimates.data(),
                  b.bounds.data());
  std::vector<std::uint32_t> all(screen.rows);
  std::iota(all.begin(), all.end(), 0U);
  kernels::ScreenFine(screen.View(), *input, all.data(), all.size(),
                      b.estimates.data(), b.fine.data());
  return b;
}

class ScreenTest : public test::EachTargetTest {
 protected:
  Team team_{2};
};

// The same for several tokens at once.
struct TextBounds {
  std::size_t digits = 0;
  std::vector<float> estimates;
  std::vector<float> bounds;
};
TextBounds TextBoundsOf(const ByteHead& head, const std::vector<float>& x) {
  const kernels::ByteRowsView& w = head.rows;
  const std::size_t bytes = kernels::ScreenDigitBytes(w.cols);
  AlignedBuffer<std::uint8_t> packed(2 * bytes);
  TextDigits room(w.cols);
  const auto text = PrepareScreenText(w.cols, head.longest, x.data(), room);
  if (!text) return {};
  TextBounds b;
  b.digits = text->digits;
  kernels::PackScreenDigit(w, room.first.data(), packed.data());
  if (b.digits == 2) {
    kernels::PackScreenDigit(w, room.second.data(), packed.data() + bytes);
  }
  b.estimates.resize(w.rows);
  kernels::ScreenTexts(w,
                       {.digits = packed.data(),
                        .texts = &*text,
                        .count = 1,
                        .estimates = b.estimates.data(),
                        .stride = w.rows},
                       0, w.rows);
  const kernels::ScreenInput& in = text->input;
  for (std::size_t r = 0; r < w.rows; ++r) {
    b.bounds.push_back(b.estimates[r] +
                       (w.residuals[r] * in.residual_factor +
                        (w.norms[r] * in.norm_factor + in.slack)));
  }
  return b;
}

TEST_F(ScreenTest, NoLogitLiesAboveItsBound) {
  for (const std::string& target : kernels::SupportedTargets()) {
    kernels::ForceTarget(target);
    for (const DenseType type :
         {DenseType::kF16, DenseType::kBf16, DenseType::kF32}) {
      for (const std::size_t cols : {33U, 200U, 768U}) {
        for (const HeadCase& head_case : HeadCases()) {
          const StoredHead head = MakeHeadCase(head_case, type, 90, cols, 1);
          const ScreenRows screen = MakeScreen(head.View(), team_);
          const RoundedRows rounded = MakeRoundedRows(head.View(), team_);
          for (const auto& [name, x] : Inputs(cols, 2)) {
            const Bounds b = BoundsOf(screen, x);
            ASSERT_EQ(b.bounds.size(), head.rows()) << name;
            const std::vector<float> logits = head.Logits(x);
            const TextBounds texts =
                TextBoundsOf(MakeByteHead(screen, head.View()), x);
            ASSERT_EQ(texts.bounds.size(), head.rows()) << name;
            const TextBounds on_the_way =
                TextBoundsOf(MakeByteHead(rounded, head.View()), x);
            ASSERT_EQ(on_the_way.bounds.size(), head.rows()) << name;
            // A far larger one leaves the others too small to matter.
            if (cols > 100) {
              EXPECT_EQ(texts.digits, name == "a small outlier" ? 2U : 1U)
                  << name;
            }
            for (std::size_t r = 0; r < head.rows(); ++r) {
              ASSERT_LE(logits[r], texts.bounds[r])
                  << target << ", " << head_case.name << ", " << name << ", "
                  << cols << " columns, row " << r;
              ASSERT_LE(logits[r], on_the_way.bounds[r])
                  << target << ", " << head_case.name << ", " << name << ", "
                  << cols << " columns, row " << r;
              ASSERT_LE(logits[r], b.bounds[r])
                  << target << ", " << head_case.name << ", " << name << ", "
                  << cols << " columns, row " << r;
              ASSERT_LE(logits[r], b.fine[r])
                  << target << ", " << head_case.name << ", " << name << ", "
                  << cols << " columns, row " << r;
            }
          }
        }
      }
    }
  }
}

// The input along a row's residual takes the logit up to its bound: a bound
// that were smaller by a fiftieth would fail here.
TEST_F(ScreenTest, TheBoundIsReachedAndHolds) {
  const std::size_t cols = 768;
  const StoredHead head =
      MakeHeadCase(HeadCases().front(), DenseType::kF16, 40, cols, 3);
  const ScreenRows screen = MakeScreen(head.View(), team_);
  for (std::size_t r = 0; r < head.rows(); ++r) {
    // One column at a time the estimate is the screened weight itself.
    std::vector<float> x = head.Row(r);
    for (std::size_t c = 0; c < cols; ++c) {
      std::vector<float> unit(cols);
      unit[c] = 1;
      x[c] -= BoundsOf(screen, unit).estimates[r];
    }
    const Bounds b = BoundsOf(screen, x);
    const float logit = head.Logits(x)[r];
    const float margin = b.bounds[r] - b.estimates[r];
    EXPECT_LE(logit, b.bounds[r]);
    EXPECT_GT(logit, b.bounds[r] - 0.02F * margin);
    EXPECT_LE(logit, b.fine[r]);
    // And the norms are those of the row: rounded up, but by little.
    double norm = 0;
    for (const float v : head.Row(r)) norm += double{v} * v;
    norm = std::sqrt(norm);
    EXPECT_GE(screen.norms.data()[r], norm);
    EXPECT_LE(screen.norms.data()[r], norm * (1 + 1e-6));
  }
}

// Column c of a screened row as its codes say it, without and with the fine
// one.
struct Meaning {
  double first;
  double fine;
};
Meaning MeaningOf(const ScreenRows& screen, std::size_t row, std::size_t c) {
  const std::size_t words = kernels::ScreenWords(screen.cols);
  const std::size_t field = c / words;
  const int code = screen.words.data()[row * words + c % words] >> (5 * field) &
                   (field == 2 ? 63 : 31);
  const std::size_t line = c % words / 32;
  constexpr int kPlaces[2][3] = {{0, 8, 6}, {3, 11, 14}};
  const int fine =
      screen.fine_words.data()[row * kernels::FineWords(screen.cols) +
                               line / 2 * 32 + c % 32] >>
          kPlaces[line % 2][field] &
      (field == 2 ? 3 : 7);
  const double step = screen.steps.data()[row];
  const double first = step * (field == 2 ? 2 * code - 63 : 4 * code - 62);
  return {first, first + step * (fine - (field == 2 ? 1.5 : 3.5)) / 2};
}

// The input along what all codes leave of a row: the estimate lacks all of it.
TEST_F(ScreenTest, TheBoundForTextsIsNeededAndHolds) {
  const std::size_t cols = 768;
  const StoredHead head =
      MakeHeadCase(HeadCases().front(), DenseType::kF32, 40, cols, 3);
  const ScreenRows screen = MakeScreen(head.View(), team_);
  for (std::size_t r = 0; r < head.rows(); ++r) {
    std::vector<float> x = head.Row(r);
    double size = 0;
    for (std::size_t c = 0; c < cols; ++c) {
      x[c] -= static_cast<float>(MeaningOf(screen, r, c).fine);
      size += double{x[c]} * x[c];
    }
    size = std::sqrt(size);
    const TextBounds b = TextBoundsOf(MakeByteHead(screen, head.View()), x);
    const float logit = head.Logits(x)[r];
    const double residual = size * screen.fine_residuals.data()[r];
    EXPECT_LE(logit, b.bounds[r]);
    EXPECT_GT(logit - b.estimates[r], 0.9 * residual);
    // What is left of the margin is for what the digit leaves of x.
    EXPECT_LT(b.bounds[r] - logit,
              0.1 * residual + 0.013 * size * screen.norms.data()[r]);
  }
}

TEST_F(ScreenTest, TheLengthsAreThoseOfWhatTheCodesLeave) {
  for (const std::size_t cols : {33U, 200U, 768U}) {
    for (const HeadCase& head_case : HeadCases()) {
      const StoredHead head =
          MakeHeadCase(head_case, DenseType::kF32, 40, cols, 8);
      const ScreenRows screen = MakeScreen(head.View(), team_);
      for (std::size_t r = 0; r < head.rows(); ++r) {
        double first = 0;
        double fine = 0;
        const std::vector<float> w = head.Row(r);
        for (std::size_t c = 0; c < cols; ++c) {
          const Meaning meaning = MeaningOf(screen, r, c);
          first += std::pow(w[c] - meaning.first, 2);
          fine += std::pow(w[c] - meaning.fine, 2);
        }
        first = std::sqrt(first);
        fine = std::sqrt(fine);
        ASSERT_GE(screen.residuals.data()[r], first) << head_case.name;
        ASSERT_LE(screen.residuals.data()[r], first * (1 + 1e-6) + 1e-44);
        ASSERT_GE(screen.fine_residuals.data()[r], fine) << head_case.name;
        ASSERT_LE(screen.fine_residuals.data()[r],
                  fine * (1 + 1e-6) + first * 2e-6 + 1e-44);
      }
    }
  }
}

// What the prices in head/README.md rest on.
TEST_F(ScreenTest, RowsOfNormalNumbersAreMetWithinATwentieth) {
  const StoredHead head =
      MakeHeadCase(HeadCases().front(), DenseType::kF16, 64, 2560, 4);
  const ScreenRows screen = MakeScreen(head.View(), team_);
  double first = 0;
  double fine = 0;
  for (std::size_t r = 0; r < head.rows(); ++r) {
    const float norm = screen.norms.data()[r];
    first += screen.residuals.data()[r] / norm / 64;
    fine += screen.fine_residuals.data()[r] / norm / 64;
  }
  EXPECT_GT(first, 0.045);
  EXPECT_LT(first, 0.057);
  EXPECT_GT(fine, 0.006);
  EXPECT_LT(fine, 0.011);
}

TEST_F(ScreenTest, AScreenReadsAThirdOfTheBytesOfF16) {
  // 128256 x 2560, f16: 128256 * 5120.
  EXPECT_EQ(ScreenRows::FirstBytes(128256, 2560), 128256U * (1728 + 12));
  EXPECT_EQ(ScreenRows::Bytes(128256, 2560), 128256U * (1728 + 896 + 16));
}

// The parts of the bound that a row's residual mostly hides.
TEST_F(ScreenTest, TheFactorsCoverTheInputAndTheRoundingOfTheLogit) {
  const std::size_t cols = 768;
  const ScreenRows screen = MakeScreen(
      MakeHeadCase(HeadCases().front(), DenseType::kF16, 4, cols, 9).View(),
      team_);
  AlignedBuffer<std::int16_t> q(kernels::ScreenInputSize(cols));
  for (const auto& [name, x] : Inputs(cols, 10)) {
    const auto input = PrepareScreenInput(screen, x.data(), q.data());
    ASSERT_TRUE(input) << name;
    std::int32_t sum = 0;
    double norm = 0;
    double error = 0;
    for (std::size_t c = 0; c < cols; ++c) {
      sum += q.data()[c];
      norm += double{x[c]} * x[c];
      error += std::pow(x[c] - double{input->scale} * q.data()[c], 2);
    }
    norm = std::sqrt(norm);
    error = std::sqrt(error);
    const double rounding = static_cast<double>(cols) * 0x1.0p-24 * norm;
    EXPECT_EQ(input->sum, sum);
    EXPECT_GE(input->residual_factor, norm + error) << name;
    EXPECT_LE(input->residual_factor, (norm + error) * (1 + 1e-5) + 1e-44);
    EXPECT_GE(input->norm_factor, error + rounding) << name;
    EXPECT_LE(input->norm_factor,
              (error + rounding + 1e-5 * norm) * 1.01 + 1e-44);
    EXPECT_GT(input->slack, 1e-36F);
    EXPECT_LT(input->slack, 1e-32F);
  }
}

TEST_F(ScreenTest, InputsWithoutABoundAreToldApart) {
  const std::size_t cols = 96;
  const StoredHead head =
      MakeHeadCase(HeadCases().front(), DenseType::kF32, 10, cols, 5);
  const ScreenRows screen = MakeScreen(head.View(), team_);
  for (const float odd : {std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity(),
                          std::numeric_limits<float>::quiet_NaN(), 3e38F}) {
    std::vector<float> x = Normals(cols, 1, 6);
    EXPECT_FALSE(BoundsOf(screen, x).bounds.empty());
    x[40] = odd;
    EXPECT_TRUE(BoundsOf(screen, x).bounds.empty()) << odd;
  }
}

TEST(WideInputTest, TheErrorIsMeasured) {
  for (const std::size_t cols : {5U, 64U, 2560U}) {
    for (const auto& [name, x] : Inputs(cols, 7)) {
      const int limit = WideLimit(cols, 63);
      ASSERT_LT(std::int64_t{limit} * 63 * static_cast<std::int64_t>(cols),
                std::int64_t{1} << 31);
      std::vector<std::int16_t> q(cols + 20, 99);
      const WideInput input =
          QuantizeWide(x.data(), cols, limit, q.data(), q.size());
      double norm = 0;
      double error = 0;
      for (std::size_t c = 0; c < cols; ++c) {
        ASSERT_LE(std::abs(q[c]), limit);
        norm += double{x[c]} * x[c];
        const double e = x[c] - double{input.scale} * q[c];
        error += e * e;
      }
      for (std::size_t c = cols; c < q.size(); ++c) ASSERT_EQ(q[c], 0);
      EXPECT_GE(input.norm, std::sqrt(norm)) << name;
      EXPECT_LE(input.norm, std::sqrt(norm) * (1 + 1e-6)) << name;
      EXPECT_GE(input.error, std::sqrt(error)) << name;
      EXPECT_LE(input.error, std::sqrt(error) * (1 + 1e-6)) << name;
      if (name == "normal") {
        EXPECT_LT(input.error, 2e-3 * input.norm);
      }
    }
  }
}

}  // namespace
}  // namespace tern
