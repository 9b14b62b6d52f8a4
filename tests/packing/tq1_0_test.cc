#include "packing/tq1_0.h"

#include <cstdint>
#include <limits>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "packing/base3.h"
#include "tests/packing/expect_fault.h"
#include "tests/packing/stored.h"
#include "tests/packing/weights.h"

namespace tern::packing {
namespace {

TEST(Tq1, ReadsWhatTheFormulaWrites) {
  const Weights weights = RandomWeights(5, 768);
  const std::vector<float> scales = Scales(15);
  TernaryMatrix matrix;
  EXPECT_SOUND(UnpackTq1(StoredTq1(weights, scales), 5, 768, matrix));
  EXPECT_EQ(matrix, Canonical(weights, ScaleGroup::kBlock, scales, 256));
}

TEST(Tq1, WritesWhatTheFormulaWrites) {
  const Weights weights = RandomWeights(5, 512);
  std::vector<std::uint8_t> bytes(7, 0xee);
  EXPECT_SOUND(
      PackTq1(Canonical(weights, ScaleGroup::kBlock, Scales(10), 256), bytes));
  EXPECT_EQ(bytes, StoredTq1(weights, Scales(10)));
  EXPECT_EQ(bytes.size(), Tq1Bytes(5, 512));
  EXPECT_SOUND(
      PackTq1(Canonical(weights, ScaleGroup::kRow, {1, 2, 3, 4, 5}), bytes));
  EXPECT_EQ(bytes, StoredTq1(weights, {1, 1, 2, 2, 3, 3, 4, 4, 5, 5}));
}

// Digit by digit as ggml's readers multiply: byte * 3^n mod 256, times 3, the
// carry.
TEST(Tq1, EveryByteOfEveryPlaceGivesItsDigitsOrAFault) {
  const Weights zeros = ZeroWeights(1, 256);
  std::set<unsigned> numbers;
  for (unsigned value = 0; value < 256; ++value) {
    for (std::size_t at = 0; at < 52; ++at) {
      const bool four = at >= 48;
      std::vector<std::uint8_t> bytes = StoredTq1(zeros, {1});
      bytes[at] = static_cast<std::uint8_t>(value);
      unsigned number = 0;
      unsigned rest = value;
      Weights expected = zeros;
      for (std::size_t n = 0; n < 5; ++n, rest = rest * 3 % 256) {
        const unsigned code = rest * 3 / 256;
        ASSERT_LT(code, 3U);
        number = 3 * number + code;
        std::size_t weight = 32 * n + at;
        if (at >= 32) weight = 160 + 16 * n + at - 32;
        if (four) weight = 240 + 4 * n + at - 48;
        if (n < 4 || !four) {
          expected.trits[weight] = static_cast<int>(code) - 1;
        }
      }
      TernaryMatrix matrix;
      if (ByteOfNumber(number) == value && !(four && number % 3 != 0)) {
        EXPECT_SOUND(UnpackTq1(bytes, 1, 256, matrix));
        TernaryMatrix canonical = Canonical(expected, 1);
        WidenScales(canonical);  // byte 128 is all zeros
        EXPECT_EQ(matrix, canonical) << value << " at " << at;
        if (!four) numbers.insert(number);
      } else {
        EXPECT_FAULT(UnpackTq1(bytes, 1, 256, matrix),
                     four ? "no four ternary" : "no five ternary", at);
      }
    }
  }
  EXPECT_EQ(numbers.size(), 243U);
}

TEST(Base3, NumbersAndBytesAreEachOthersInverse) {
  const std::set<unsigned> without_number = {
      0x01, 0x14, 0x28, 0x3c, 0x4f, 0x63, 0x77,
      0x8a, 0x9e, 0xb2, 0xc5, 0xd9, 0xed};  // as the README lists them
  for (unsigned number = 0; number < 243; ++number) {
    EXPECT_EQ(Base3Byte(number), ByteOfNumber(number));
    EXPECT_EQ(Base3Number(Base3Byte(number)), number);
  }
  for (unsigned byte = 0; byte < 256; ++byte) {
    EXPECT_EQ(Base3Number(static_cast<std::uint8_t>(byte)) == 243,
              without_number.count(byte) == 1)
        << byte;
  }
}

// The byte is in a later block, behind a sound one and before another bad one.
TEST(Tq1, NamesTheFirstBadByteOfALaterBlock) {
  std::vector<std::uint8_t> bytes = StoredTq1(RandomWeights(2, 512), Scales(4));
  bytes[108 + 50] = 1;  // number 0 rounds up to 0, number 1 to 2
  TernaryMatrix matrix;
  EXPECT_FAULT(UnpackTq1(bytes, 2, 512, matrix), "no four", 158);
  bytes[108 + 40] = 1;
  EXPECT_FAULT(UnpackTq1(bytes, 2, 512, matrix), "byte 1, which no five", 148);
  bytes[162] = 1;
  EXPECT_FAULT(UnpackTq1(bytes, 2, 512, matrix), "no five", 148);
}

TEST(Tq1, RepeatsOneScaleAndZeroesItOverZeroBlocks) {
  const Weights weights = RandomWeights(4, 512, 5, true);  // rows 0, 3 are zero
  std::vector<std::uint8_t> bytes;
  EXPECT_SOUND(PackTq1(Canonical(weights, 0.5F), bytes));
  EXPECT_EQ(bytes, StoredTq1(weights, {0, 0, 0.5F, 0.5F, 0.5F, 0.5F, 0, 0}));
  TernaryMatrix matrix;
  EXPECT_SOUND(UnpackTq1(bytes, 4, 512, matrix));
  EXPECT_EQ(matrix, Canonical(weights, 0.5F));
}

// Any codes under a block's scale of 0 are zeros.
TEST(Tq1, ABlockOfScaleZeroIsZero) {
  Weights weights = RandomWeights(1, 512);
  TernaryMatrix matrix;
  EXPECT_SOUND(UnpackTq1(StoredTq1(weights, {0, 0.5F}), 1, 512, matrix));
  for (std::size_t c = 0; c < 256; ++c) weights.trits[c] = 0;
  EXPECT_EQ(matrix, Canonical(weights, 0.5F));
}

TEST(Tq1, RefusesBadScales) {
  const Weights weights = RandomWeights(2, 256);
  TernaryMatrix matrix;
  for (const float scale : {-0.5F, std::numeric_limits<float>::infinity(),
                            std::numeric_limits<float>::quiet_NaN()}) {
    EXPECT_FAULT(UnpackTq1(StoredTq1(weights, {1, scale}), 2, 256, matrix),
                 "scale", 54 + 52);
  }
}

TEST(Tq1, RefusesWrongSizesAndShapes) {
  std::vector<std::uint8_t> bytes = StoredTq1(RandomWeights(2, 256), {1, 1});
  TernaryMatrix matrix;
  bytes.push_back(0);
  EXPECT_FAULT(UnpackTq1(bytes, 2, 256, matrix), "109 bytes", 0);
  bytes.resize(107);
  EXPECT_FAULT(UnpackTq1(bytes, 2, 256, matrix), "needs 108", 0);
  bytes.resize(108);
  EXPECT_FAULT(UnpackTq1(bytes, 4, 128, matrix), "multiple of 256", 0);
  EXPECT_FAULT(UnpackTq1(bytes, 0, 256, matrix), "empty", 0);
}

TEST(Tq1, RefusesToWriteWhatItCannotHold) {
  std::vector<std::uint8_t> bytes;
  const Weights weights = RandomWeights(2, 256);
  EXPECT_FAULT(PackTq1(Canonical(RandomWeights(2, 128), 1), bytes),
               "multiple of 256", 0);
  EXPECT_FAULT(
      PackTq1(Canonical(weights, ScaleGroup::kBlock, {1, 2, 3, 4}, 128), bytes),
      "128 columns, and TQ1_0", 0);
  for (const float scale : {1.0F + 0x1p-11F, 65536.0F, 0x1p-25F}) {
    EXPECT_FAULT(
        PackTq1(Canonical(weights, ScaleGroup::kRow, {1, scale}), bytes),
        "f16 cannot hold", 54 + 52);
  }
  for (const float scale : {-1.0F, std::numeric_limits<float>::infinity()}) {
    EXPECT_FAULT(
        PackTq1(Canonical(weights, ScaleGroup::kRow, {1, scale}), bytes),
        "no finite number", 54 + 52);
  }
  TernaryMatrix three = Canonical(weights, 1);
  SetSlot(three.codes, 64 + 17, 2, 3);
  EXPECT_FAULT(PackTq1(three, bytes), "code 3", 54);
}

}  // namespace
}  // namespace tern::packing
