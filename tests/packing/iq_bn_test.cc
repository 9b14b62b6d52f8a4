#include "packing/iq_bn.h"

#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "tests/packing/expect_fault.h"
#include "tests/packing/stored.h"
#include "tests/packing/weights.h"

namespace tern::packing {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

// An even and an odd number of blocks, and a single one.
TEST(IqBn, ReadsWhatTheFormulaWrites) {
  for (const std::size_t cols : {64, 128, 320}) {
    const Weights weights = RandomWeights(5, cols);
    const TernaryMatrix expected =
        Canonical(weights, ScaleGroup::kRow, Scales(5));
    TernaryMatrix matrix;
    EXPECT_SOUND(UnpackIq2Bn(StoredIq2Bn(weights, Scales(5)), 5, cols, matrix));
    EXPECT_EQ(matrix, expected) << cols;
    EXPECT_SOUND(UnpackIq1Bn(StoredIq1Bn(weights, Scales(5)), 5, cols, matrix));
    EXPECT_EQ(matrix, expected) << cols;
  }
}

TEST(IqBn, OneScaleInEveryRowIsOneForTheMatrix) {
  const Weights weights = RandomWeights(3, 128);
  const std::vector<float> scales(3, 0.5F);
  TernaryMatrix matrix;
  EXPECT_SOUND(UnpackIq2Bn(StoredIq2Bn(weights, scales), 3, 128, matrix));
  EXPECT_EQ(matrix, Canonical(weights, 0.5F));
  EXPECT_SOUND(UnpackIq1Bn(StoredIq1Bn(weights, scales), 3, 128, matrix));
  EXPECT_EQ(matrix, Canonical(weights, 0.5F));
}

// As files have them: scale 0 over code 2 throughout.
TEST(IqBn, ARowOfScaleZeroIsZeroWhateverItsCodes) {
  const Weights expected = RandomWeights(4, 128, 5, true);
  Weights stored = expected;
  for (std::size_t c = 0; c < 128; ++c) {
    stored.trits[c] = stored.trits[3 * 128 + c] = 1;
  }
  const std::vector<float> scales = {0, 0.5F, 0.5F, 0};
  TernaryMatrix matrix;
  EXPECT_SOUND(UnpackIq2Bn(StoredIq2Bn(stored, scales), 4, 128, matrix));
  EXPECT_EQ(matrix, Canonical(expected, 0.5F));
  EXPECT_SOUND(UnpackIq1Bn(StoredIq1Bn(stored, scales), 4, 128, matrix));
  EXPECT_EQ(matrix, Canonical(expected, 0.5F));
}

TEST(IqBn, Iq2NamesTheByteOfEveryCodeThree) {
  const std::vector<std::uint8_t> sound =
      StoredIq2Bn(RandomWeights(2, 192), {1, 1});
  TernaryMatrix matrix;
  for (std::size_t byte = 0; byte < sound.size(); ++byte) {
    if (byte % 52 < 4) continue;
    std::vector<std::uint8_t> bytes = sound;
    SetSlot(bytes, byte, byte % 4, 3);
    EXPECT_FAULT(UnpackIq2Bn(bytes, 2, 192, matrix), "code 3", byte);
  }
}

// The digits by the multipliers 81, 27, 9, 3, 1, the top of byte * 3 / 256.
TEST(IqBn, Iq1EveryByteOfEveryPlaceGivesItsDigitsOrAFault) {
  const Weights zeros = ZeroWeights(1, 64);
  for (unsigned value = 0; value < 256; ++value) {
    for (std::size_t at = 0; at < 13; ++at) {
      const bool four = at == 12;
      std::vector<std::uint8_t> bytes = StoredIq1Bn(zeros, {1});
      bytes[2 + at] = static_cast<std::uint8_t>(value);
      unsigned number = 0;
      unsigned place = 1;
      unsigned multiplier = 81;
      Weights expected = zeros;
      for (std::size_t j = 0; j < 5; ++j, place *= 3, multiplier /= 3) {
        const unsigned code = value * multiplier % 256 * 3 / 256;
        ASSERT_LT(code, 3U);
        number += place * code;
        const std::size_t weight =
            four ? 16 * j + 15 : at / 3 * 16 + at % 3 * 5 + j;
        if (weight < 64) expected.trits[weight] = static_cast<int>(code) - 1;
      }
      TernaryMatrix matrix;
      if (ByteOfNumber(number) == value && !(four && number >= 81)) {
        EXPECT_SOUND(UnpackIq1Bn(bytes, 1, 64, matrix));
        TernaryMatrix canonical = Canonical(expected, 1);
        WidenScales(canonical);  // byte 128 is all zeros
        EXPECT_EQ(matrix, canonical) << value << " at " << at;
      } else {
        EXPECT_FAULT(UnpackIq1Bn(bytes, 1, 64, matrix),
                     four ? "no four ternary" : "no five ternary", 2 + at);
      }
    }
  }
}

TEST(IqBn, Iq1NamesABadByteOfALaterRow) {
  std::vector<std::uint8_t> bytes =
      StoredIq1Bn(RandomWeights(3, 128), {1, 1, 1});
  bytes[28 + 2 + 13 + 12] = 255;
  TernaryMatrix matrix;
  EXPECT_FAULT(UnpackIq1Bn(bytes, 3, 128, matrix), "byte 255, which no four",
               55);
  bytes[28 + 2 + 13 + 7] = 1;
  EXPECT_FAULT(UnpackIq1Bn(bytes, 3, 128, matrix), "byte 1, which no five", 50);
}

TEST(IqBn, RefusesBadScales) {
  const Weights weights = RandomWeights(2, 64);
  TernaryMatrix matrix;
  for (const float scale : {-0.5F, kInfinity, kNaN}) {
    EXPECT_FAULT(UnpackIq2Bn(StoredIq2Bn(weights, {1, scale}), 2, 64, matrix),
                 "scale", 20);
    EXPECT_FAULT(UnpackIq1Bn(StoredIq1Bn(weights, {1, scale}), 2, 64, matrix),
                 "scale", 15);
  }
}

TEST(IqBn, RefusesWrongSizesAndShapes) {
  std::vector<std::uint8_t> two = StoredIq2Bn(RandomWeights(2, 64), {1, 1});
  std::vector<std::uint8_t> one = StoredIq1Bn(RandomWeights(2, 64), {1, 1});
  ASSERT_EQ(two.size(), Iq2BnBytes(2, 64));
  ASSERT_EQ(one.size(), Iq1BnBytes(2, 64));
  TernaryMatrix matrix;
  two.push_back(0);
  EXPECT_FAULT(UnpackIq2Bn(two, 2, 64, matrix), "needs 40", 0);
  one.pop_back();
  EXPECT_FAULT(UnpackIq1Bn(one, 2, 64, matrix), "needs 30", 0);
  EXPECT_FAULT(UnpackIq2Bn(two, 4, 32, matrix), "multiple of 64", 0);
  EXPECT_FAULT(UnpackIq1Bn(one, 4, 32, matrix), "multiple of 64", 0);
  EXPECT_FAULT(UnpackIq2Bn(two, 2, 0, matrix), "empty", 0);
  EXPECT_FAULT(UnpackIq1Bn(one, 0, 64, matrix), "empty", 0);
}

}  // namespace
}  // namespace tern::packing
