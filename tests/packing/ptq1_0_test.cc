#include "packing/ptq1_0.h"

#include <cstdint>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "tests/packing/expect_fault.h"
#include "tests/packing/stored.h"
#include "tests/packing/weights.h"

namespace tern::packing {
namespace {

TEST(Ptq1, ReadsWhatTheFormulaWrites) {
  const Weights weights = RandomWeights(5, 384);
  const std::vector<float> scales = Scales(15);
  TernaryMatrix matrix;
  EXPECT_SOUND(UnpackPtq1(StoredPtq1(weights, scales), 5, 384, matrix));
  EXPECT_EQ(matrix, Canonical(weights, ScaleGroup::kBlock, scales, 128));
}

TEST(Ptq1, EveryByteOfEveryPlaceGivesItsDigitsOrAFault) {
  const Weights zeros = ZeroWeights(1, 128);
  for (unsigned value = 0; value < 256; ++value) {
    for (std::size_t at = 0; at < 26; ++at) {
      const bool four = at >= 24;
      std::vector<std::uint8_t> bytes = StoredPtq1(zeros, {1});
      bytes[at] = static_cast<std::uint8_t>(value);
      unsigned number = 0;
      unsigned rest = value;
      Weights expected = zeros;
      for (std::size_t n = 0; n < 5; ++n, rest = rest * 3 % 256) {
        const unsigned code = rest * 3 / 256;
        number = 3 * number + code;
        std::size_t weight = 16 * n + at;
        if (at >= 16) weight = 80 + 8 * n + at - 16;
        if (four) weight = 120 + 2 * n + at - 24;
        if (n < 4 || !four) {
          expected.trits[weight] = static_cast<int>(code) - 1;
        }
      }
      TernaryMatrix matrix;
      if (ByteOfNumber(number) == value && !(four && number % 3 != 0)) {
        EXPECT_SOUND(UnpackPtq1(bytes, 1, 128, matrix));
        TernaryMatrix canonical = Canonical(expected, 1);
        WidenScales(canonical);  // byte 128 is all zeros
        EXPECT_EQ(matrix, canonical) << value << " at " << at;
      } else {
        EXPECT_FAULT(UnpackPtq1(bytes, 1, 128, matrix),
                     four ? "no four ternary" : "no five ternary", at);
      }
    }
  }
}

TEST(Ptq1, ABlockOfScaleZeroIsZero) {
  Weights weights = RandomWeights(1, 256);
  TernaryMatrix matrix;
  EXPECT_SOUND(UnpackPtq1(StoredPtq1(weights, {0.5F, 0}), 1, 256, matrix));
  for (std::size_t c = 128; c < 256; ++c) weights.trits[c] = 0;
  EXPECT_EQ(matrix, Canonical(weights, 0.5F));
}

TEST(Ptq1, RefusesBadScales) {
  const Weights weights = RandomWeights(2, 128);
  TernaryMatrix matrix;
  for (const float scale : {-0.5F, std::numeric_limits<float>::infinity(),
                            std::numeric_limits<float>::quiet_NaN()}) {
    EXPECT_FAULT(UnpackPtq1(StoredPtq1(weights, {1, scale}), 2, 128, matrix),
                 "scale", 28 + 26);
  }
}

TEST(Ptq1, RefusesWrongSizesAndShapes) {
  std::vector<std::uint8_t> bytes = StoredPtq1(RandomWeights(2, 128), {1, 1});
  ASSERT_EQ(bytes.size(), Ptq1Bytes(2, 128));
  TernaryMatrix matrix;
  bytes.push_back(0);
  EXPECT_FAULT(UnpackPtq1(bytes, 2, 128, matrix), "57 bytes", 0);
  bytes.resize(55);
  EXPECT_FAULT(UnpackPtq1(bytes, 2, 128, matrix), "needs 56", 0);
  bytes.resize(56);
  EXPECT_FAULT(UnpackPtq1(bytes, 4, 64, matrix), "multiple of 128", 0);
  EXPECT_FAULT(UnpackPtq1(bytes, 0, 128, matrix), "empty", 0);
}

}  // namespace
}  // namespace tern::packing
