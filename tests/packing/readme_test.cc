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
#include "packing/q8_0.h"
#include "packing/tiles.h"
#include "packing/tq2_0.h"
#include "tests/packing/expect_fault.h"
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

}  // namespace
}  // namespace tern::packing
