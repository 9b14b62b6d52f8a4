// The encoders of the tests write what other programs wrote: a mistake in one
// of them would otherwise meet the same mistake in a reader and cancel out.
#include "tests/support/ternary_encoders_test.h"

#include <cmath>
#include <fstream>
#include <iterator>
#include <string>

#include <gtest/gtest.h>

#include "tests/support/reference_files.h"
#include "tests/support/synthetic_model.h"

namespace tern::testing {
namespace {

constexpr std::size_t kI2STail = 28;  // means nothing

// f16 has 11 significant bits.
void RoundScalesToHalf(ReferenceMatrix& matrix) {
  for (float& scale : matrix.scales) {
    const int shift = 10 - std::ilogb(scale);
    scale = std::ldexp(std::nearbyint(std::ldexp(scale, shift)), -shift);
  }
}

ReferenceModel WithHalfScales(ReferenceModel model) {
  for (ReferenceLayer& layer : model.layers) {
    for (ReferenceMatrix* matrix : {&layer.q, &layer.k, &layer.v, &layer.o,
                                    &layer.gate, &layer.up, &layer.down}) {
      RoundScalesToHalf(*matrix);
    }
  }
  return model;
}

class TernaryEncoders : public ::testing::TestWithParam<EncodedFile> {};

TEST_P(TernaryEncoders, WriteTheBytesOfOtherPrograms) {
  const EncodedFile& c = GetParam();
  std::ifstream file(c.gguf, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  ReferenceModel model = ReadReferenceModel(c.source);
  const bool half_scales = c.type == gguf::kTq1_0 || c.type == gguf::kTq2_0 ||
                           c.type == gguf::kIq1Bn;
  if (half_scales && !c.scale_tensors) model = WithHalfScales(model);
  SyntheticShape shape;
  shape.architecture = c.architecture;
  shape.head_dim = model.head_dim;
  const test::GgufParts parts = GgufOf(shape, model,
                                       {.linear_type = c.type,
                                        .embedding_type = gguf::kF32,
                                        .head_type = gguf::kF32,
                                        .scale_tensors = c.scale_tensors});
  std::size_t compared = 0;
  for (const test::GgufTensor& tensor : parts.tensors) {
    if (tensor.type != c.type || tensor.dims.size() != 2) continue;
    if (!tensor.name.starts_with("blk.")) continue;
    std::string wanted = tensor.data;
    if (c.type == gguf::kI2S) wanted.resize(wanted.size() - kI2STail);
    EXPECT_NE(bytes.find(wanted), std::string::npos) << tensor.name;
    ++compared;
  }
  EXPECT_EQ(compared, 7 * model.layers.size());
}

INSTANTIATE_TEST_SUITE_P(Files, TernaryEncoders,
                         ::testing::ValuesIn(EncodedFiles()),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace tern::testing
