// The worked examples of packing/README.md: the code agrees with the bytes
// below, and the page shows the same bytes.
#include <algorithm>
#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "packing/hf_packed.h"
#include "packing/i2_s.h"
#include "packing/iq_bn.h"
#include "packing/ptq1_0.h"
#include "packing/q2_0.h"
#include "packing/q4_0.h"
#include "packing/q6_k.h"
#include "packing/q8_0.h"
#include "packing/tiles.h"
#include "packing/tq1_0.h"
#include "packing/tq2_0.h"
#include "tests/packing/expect_fault.h"
#include "tests/packing/stored.h"
#include "tests/packing/weights.h"

namespace tern::packing {
namespace {

using Bytes = std::vector<std::uint8_t>;

// The bytes of the block ```name of the page.
Bytes Example(const std::string& name) {
  std::ifstream page(std::string(TERN_SOURCE_DIR) + "/packing/README.md");
  EXPECT_TRUE(page.good());
  Bytes bytes;
  std::string line;
  while (std::getline(page, line) && line != "```" + name) {
  }
  EXPECT_TRUE(page.good()) << "no example " << name;
  while (std::getline(page, line) && line != "```") {
    std::istringstream words(line);
    unsigned byte = 0;
    while (words >> std::hex >> byte) {
      bytes.push_back(static_cast<std::uint8_t>(byte));
    }
  }
  return bytes;
}

Bytes Part(const Bytes& bytes, std::size_t begin, std::size_t count) {
  const auto from = bytes.begin() + static_cast<std::ptrdiff_t>(begin);
  return {from, from + static_cast<std::ptrdiff_t>(count)};
}

Weights TwoRows() { return {2, 6, {1, 0, -1, 1, -1, 0, 0, 0, 0, 1, 1, -1}}; }

TEST(Readme, CanonicalForm) {
  const Bytes bytes = {0x86, 0x54, 0x95, 0x52};
  EXPECT_EQ(Example("canonical"), bytes);
  TernaryMatrix matrix;
  EXPECT_SOUND(UnpackHf(StoredHf(TwoRows()), 2, 6, 0.5F, matrix));
  EXPECT_EQ(matrix.codes, bytes);
}

TEST(Readme, Tiles) {
  const Bytes bytes = {0x86, 0x95, 0x55, 0x55, 0x54, 0x52,
                       0x55, 0x55, 0x55, 0x55, 0x55, 0x55};
  EXPECT_EQ(Example("tiles"), bytes);
  Bytes expected(8 * 64, 0x55);
  for (std::size_t g = 0; g < 3; ++g) {
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(4 * g), 4,
                expected.begin() + static_cast<std::ptrdiff_t>(64 * g));
  }
  Bytes tiles(TilesBytes(2, 6));
  FillTiles(Canonical(TwoRows(), 0.5F), 0, 2, tiles.data());
  EXPECT_EQ(tiles, expected);
}

TEST(Readme, I2S) {
  const Bytes bytes = {0xa1, 0x15, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55,
                       0x00, 0x00, 0x00, 0x3f, 0x00, 0x00, 0x00, 0x00};
  EXPECT_EQ(Example("i2_s"), bytes);
  Weights weights = ZeroWeights(1, 128);
  weights.trits[0] = weights.trits[32] = 1;
  weights.trits[1] = weights.trits[64] = -1;
  Bytes stored;
  EXPECT_SOUND(PackI2S(Canonical(weights, 0.5F), stored));
  ASSERT_EQ(stored.size(), 64U);
  EXPECT_EQ(Part(stored, 0, 4), Part(bytes, 0, 4));
  EXPECT_EQ(Part(stored, 28, 12), Part(bytes, 4, 12));
}

TEST(Readme, I2SOrderB) {
  const Bytes bytes = {0x99, 0x15, 0x55, 0x55, 0x15, 0x55, 0x55, 0x55};
  EXPECT_EQ(Example("i2_s_b"), bytes);
  Weights weights = ZeroWeights(1, 128);
  weights.trits[0] = weights.trits[32] = 1;
  weights.trits[1] = weights.trits[64] = -1;
  Bytes stored = StoredI2SB(ZeroWeights(1, 128), 0.5F);
  std::copy_n(bytes.begin(), 4, stored.begin());
  std::copy_n(bytes.begin() + 4, 4, stored.begin() + 16);
  TernaryMatrix matrix;
  EXPECT_SOUND(UnpackI2S(stored, 1, 128, matrix, I2SOrder::kB));
  EXPECT_EQ(matrix, Canonical(weights, 0.5F));
}

TEST(Readme, I2SOrderC) {
  const Bytes bytes = {0x94, 0x25, 0x55, 0x55};
  EXPECT_EQ(Example("i2_s_c"), bytes);
  Weights weights = ZeroWeights(4, 32);
  weights.trits[0] = weights.trits[33] = 1;
  weights.trits[1] = weights.trits[96] = -1;
  Bytes stored = StoredI2SC(ZeroWeights(4, 32), 0.5F);
  std::copy_n(bytes.begin(), 4, stored.begin());
  TernaryMatrix matrix;
  EXPECT_SOUND(UnpackI2S(stored, 4, 32, matrix, I2SOrder::kC));
  EXPECT_EQ(matrix, Canonical(weights, 0.5F));
}

TEST(Readme, Tq2) {
  const Bytes bytes = {0x4a, 0x54, 0x55, 0x55, 0x54,
                       0x55, 0x55, 0x55, 0x00, 0x38};
  EXPECT_EQ(Example("tq2_0"), bytes);
  Weights weights = ZeroWeights(1, 256);
  weights.trits[0] = weights.trits[32] = 1;
  weights.trits[1] = weights.trits[64] = weights.trits[128] = -1;
  Bytes stored;
  EXPECT_SOUND(PackTq2(Canonical(weights, 0.5F), stored));
  ASSERT_EQ(stored.size(), 66U);
  EXPECT_EQ(Part(stored, 0, 4), Part(bytes, 0, 4));
  EXPECT_EQ(Part(stored, 32, 4), Part(bytes, 4, 4));
  EXPECT_EQ(Part(stored, 64, 2), Part(bytes, 8, 2));
}

TEST(Readme, Tq1) {
  const Bytes bytes = {0xe8, 0x2b, 0x80, 0x80, 0xd5, 0x80, 0x80,
                       0x80, 0x2a, 0x7f, 0x7f, 0x7f, 0x00, 0x38};
  EXPECT_EQ(Example("tq1_0"), bytes);
  Weights weights = ZeroWeights(1, 256);
  weights.trits[0] = weights.trits[32] = weights.trits[160] = 1;
  weights.trits[1] = weights.trits[64] = weights.trits[240] = -1;
  Bytes stored;
  EXPECT_SOUND(PackTq1(Canonical(weights, 0.5F), stored));
  ASSERT_EQ(stored.size(), 54U);
  EXPECT_EQ(Part(stored, 0, 4), Part(bytes, 0, 4));
  EXPECT_EQ(Part(stored, 32, 4), Part(bytes, 4, 4));
  EXPECT_EQ(Part(stored, 48, 6), Part(bytes, 8, 6));
}

TEST(Readme, Ptq1) {
  const Bytes bytes = {0xe8, 0x2b, 0x80, 0x80, 0xd5, 0x80,
                       0x80, 0x80, 0x2a, 0x7f, 0x00, 0x38};
  EXPECT_EQ(Example("ptq1_0"), bytes);
  Weights weights = ZeroWeights(1, 128);
  weights.trits[0] = weights.trits[16] = weights.trits[80] = 1;
  weights.trits[1] = weights.trits[32] = weights.trits[120] = -1;
  Bytes stored(28, 0x80);
  std::copy_n(bytes.begin(), 4, stored.begin());
  std::copy_n(bytes.begin() + 4, 4, stored.begin() + 16);
  std::copy_n(bytes.begin() + 8, 4, stored.begin() + 24);
  TernaryMatrix matrix;
  EXPECT_SOUND(UnpackPtq1(stored, 1, 128, matrix));
  EXPECT_EQ(matrix, Canonical(weights, 0.5F));
}

TEST(Readme, Q2) {
  const Bytes bytes = {0x00, 0x38, 0x86, 0x54, 0x55, 0x55};
  EXPECT_EQ(Example("q2_0"), bytes);
  Weights weights = ZeroWeights(1, 64);
  weights.trits[0] = weights.trits[3] = 1;
  weights.trits[2] = weights.trits[4] = -1;
  Bytes stored;
  EXPECT_SOUND(PackQ2(Canonical(weights, 0.5F), Q2Block::k64, stored));
  EXPECT_EQ(Part(stored, 0, 6), bytes);
}

TEST(Readme, IqBn) {
  const Bytes two = {0x00, 0x00, 0x00, 0x3f, 0x5a, 0x54, 0x55, 0x55, 0x54};
  const Bytes one = {0x00, 0x38, 0x7e, 0x80, 0x80, 0x81, 0x80, 0x80, 0x2a};
  EXPECT_EQ(Example("iq2_bn"), two);
  EXPECT_EQ(Example("iq1_bn"), one);
  Weights weights = ZeroWeights(1, 64);
  weights.trits[0] = weights.trits[16] = 1;
  weights.trits[1] = weights.trits[15] = -1;
  Bytes stored(20, 0x55);
  std::copy_n(two.begin(), 8, stored.begin());
  stored[4 + 15] = two[8];
  TernaryMatrix matrix;
  EXPECT_SOUND(UnpackIq2Bn(stored, 1, 64, matrix));
  EXPECT_EQ(matrix, Canonical(weights, 0.5F));
  stored.assign(15, 0x80);
  std::copy_n(one.begin(), 8, stored.begin());
  stored[14] = one[8];
  EXPECT_SOUND(UnpackIq1Bn(stored, 1, 64, matrix));
  EXPECT_EQ(matrix, Canonical(weights, 0.5F));
}

TEST(Readme, HfPacked) {
  const Bytes bytes = {0x12, 0x20, 0x09, 0x06};
  EXPECT_EQ(Example("hf_packed"), bytes);
  const Weights weights = {5, 2, {1, -1, 0, 1, -1, -1, 1, 0, 0, 1}};
  TernaryMatrix matrix;
  EXPECT_SOUND(UnpackHf(bytes, 5, 2, 0.5F, matrix));
  EXPECT_EQ(matrix, Canonical(weights, 0.5F));
}

TEST(Readme, Q8) {
  const Bytes bytes = {0x08, 0x24, 0x40, 0x81, 0x20, 0x00};
  EXPECT_EQ(Example("q8_0"), bytes);
  std::vector<float> row(32);
  row[0] = 1;
  row[1] = -2;
  row[2] = 0.5F;
  Bytes stored(34);
  EXPECT_SOUND(QuantizeQ8(row, stored));
  EXPECT_EQ(Part(stored, 0, 6), bytes);
}

TEST(Readme, Q4) {
  const Bytes bytes = {0x00, 0x38, 0xf9, 0x80, 0x88, 0x88,
                       0x00, 0x38, 0x01, 0xf8, 0x00, 0x00};
  EXPECT_EQ(Example("q4_0"), bytes);
  Bytes stored(18, 0x88);
  std::copy_n(bytes.begin(), 6, stored.begin());
  std::vector<float> expected(32);
  expected[0] = 0.5F;
  expected[1] = -4;
  expected[16] = 3.5F;
  std::vector<float> row(32);
  DequantizeQ4(stored, row);
  EXPECT_EQ(row, expected);
  Bytes q8(34);
  EXPECT_SOUND(Q4ToQ8(stored, 32, q8));
  EXPECT_EQ(Part(q8, 0, 6), Part(bytes, 6, 6));
}

TEST(Readme, Q6) {
  const Bytes bytes = {0x31, 0x02, 0x2a, 0xf0, 0x6a, 0xff, 0x00, 0x38,
                       0x00, 0x00, 0x80, 0x3f, 0x01, 0x00, 0x00, 0x00,
                       0x00, 0x00, 0xbf, 0x00, 0x00, 0xff};
  EXPECT_EQ(Example("q6_k"), bytes);
  Bytes stored(210, 0x00);  // nibbles 0 and pairs 2: value 32, weight 0
  std::fill_n(stored.begin() + 128, 64, std::uint8_t{0xaa});
  std::fill_n(stored.begin() + 192, 16, std::uint8_t{2});
  const std::vector<std::size_t> places = {0, 32, 128, 127, 191, 207, 208, 209};
  for (std::size_t i = 0; i < places.size(); ++i) stored[places[i]] = bytes[i];
  std::vector<float> expected(256);
  expected[0] = 1;
  expected[32] = 2;
  expected[64] = 3;
  expected[96] = -32;
  expected[255] = 0.5F;
  std::vector<float> row(256);
  DequantizeQ6(stored, row);
  EXPECT_EQ(row, expected);
  Bytes blocks(320);
  EXPECT_SOUND(Q6ToInt8x16(stored, 256, blocks));
  EXPECT_EQ(Part(blocks, 0, 7), Part(bytes, 8, 7));
  EXPECT_EQ(Part(blocks, 300, 4), Part(bytes, 15, 4));
  EXPECT_EQ(Part(blocks, 317, 3), Part(bytes, 19, 3));
}

}  // namespace
}  // namespace tern::packing
