// int8 rows: as near as eight bits allow, one token at a time or many.
#include "runtime/head/int8_rows.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "tests/runtime/head/heads.h"

namespace tern {
namespace {

using kernels::DenseType;
using test::HeadCase;
using test::HeadCases;
using test::MakeHeadCase;
using test::Normals;
using test::StoredHead;

std::vector<float> Product(const Int8Rows& w, const std::vector<float>& x,
                           Team& team) {
  const std::size_t tokens = x.size() / w.cols;
  AlignedBuffer<std::int16_t> q(tokens * kernels::Int8RowStride(w.cols));
  std::vector<float> scales(tokens);
  std::vector<float> y(tokens * w.rows, NAN);
  Int8RowsProduct(w, x.data(), tokens, q.data(), scales.data(), y.data(), team);
  return y;
}

TEST(Int8RowsTest, WeightsAreWithinHalfAStep) {
  Team team(2);
  for (const HeadCase& head_case : HeadCases()) {
    const StoredHead head =
        MakeHeadCase(head_case, DenseType::kF16, 100, 65, 1);
    const Int8Rows rows = MakeInt8Rows(head.View(), team);
    for (std::size_t r = 0; r < head.rows(); ++r) {
      const float scale = rows.scales.data()[r];
      const std::vector<float> w = head.Row(r);
      float largest = 0;
      for (const float v : w) largest = std::max(largest, std::fabs(v));
      EXPECT_EQ(scale, largest / 127);
      for (std::size_t c = 0; c < head.cols(); ++c) {
        const int q = rows.data.data()[r * kernels::Int8RowStride(65) + c];
        ASSERT_NEAR(w[c], scale * static_cast<float>(q), 0.5001F * scale)
            << head_case.name;
      }
    }
  }
}

TEST(Int8RowsTest, ProductsAreNearThoseOfTheStoredHead) {
  Team team(2);
  const std::size_t cols = 768;
  const StoredHead head =
      MakeHeadCase(HeadCases().front(), DenseType::kBf16, 300, cols, 2);
  const Int8Rows rows = MakeInt8Rows(head.View(), team);
  const std::vector<float> x = Normals(cols, 1, 3);
  const std::vector<float> y = Product(rows, x, team);
  const std::vector<float> want = head.Logits(x);
  double squares = 0;
  for (std::size_t r = 0; r < head.rows(); ++r) {
    squares += std::pow(y[r] - want[r], 2) / static_cast<double>(head.rows());
  }
  // Steps of 3.2 / 127, uniform errors, 768 of them: 0.007 * 28 = 0.2.
  EXPECT_LT(std::sqrt(squares), 0.25);
  EXPECT_GT(std::sqrt(squares), 0.1);
}

TEST(Int8RowsTest, ManyTokensAreAsOneAfterTheOtherForAnyNumberOfThreads) {
  const std::size_t cols = 200;
  const StoredHead head =
      MakeHeadCase(HeadCases().front(), DenseType::kF32, 150, cols, 4);
  Team one(1);
  const Int8Rows rows = MakeInt8Rows(head.View(), one);
  const std::vector<float> x = Normals(5 * cols, 1, 5);
  std::vector<float> singly;
  for (std::size_t t = 0; t < 5; ++t) {
    const auto begin = x.begin() + static_cast<std::ptrdiff_t>(t * cols);
    const std::vector<float> y =
        Product(rows, {begin, begin + static_cast<std::ptrdiff_t>(cols)}, one);
    singly.insert(singly.end(), y.begin(), y.end());
  }
  for (const int threads : {1, 2, 5}) {
    Team team(threads);
    EXPECT_EQ(Product(rows, x, team), singly);
  }
}

// A sampler refuses them rather than choose something.
TEST(Int8RowsTest, InputsThatAreNotFiniteGiveLogitsThatAreNot) {
  Team team(1);
  const StoredHead head =
      MakeHeadCase(HeadCases().front(), DenseType::kF32, 20, 32, 6);
  const Int8Rows rows = MakeInt8Rows(head.View(), team);
  for (const float odd : {std::numeric_limits<float>::infinity(),
                          std::numeric_limits<float>::quiet_NaN()}) {
    std::vector<float> x = Normals(32, 1, 7);
    x[3] = odd;
    for (const float y : Product(rows, x, team)) EXPECT_TRUE(std::isnan(y));
  }
}

}  // namespace
}  // namespace tern
