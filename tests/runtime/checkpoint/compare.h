// All linear layers and norms of two checkpoints, side by side.
#ifndef TERN_TESTS_RUNTIME_CHECKPOINT_COMPARE_H_
#define TERN_TESTS_RUNTIME_CHECKPOINT_COMPARE_H_

#include <vector>

#include <gtest/gtest.h>

#include "runtime/checkpoint/checkpoint.h"

namespace tern::checkpoint {

inline std::vector<const LinearSource*> Linears(const Checkpoint& model) {
  std::vector<const LinearSource*> linears;
  for (const LayerSource& layer : model.layers) {
    for (const auto* linear : {&layer.q, &layer.k, &layer.v, &layer.o,
                               &layer.gate, &layer.up, &layer.down}) {
      linears.push_back(linear);
    }
  }
  return linears;
}

inline std::vector<const files::StoredTensor*> Norms(const Checkpoint& model) {
  std::vector<const files::StoredTensor*> norms = {&model.output_norm};
  for (const LayerSource& layer : model.layers) {
    norms.push_back(&layer.attn_norm);
    norms.push_back(&layer.ffn_norm);
    for (const auto* norm : {&layer.attn_sub_norm, &layer.ffn_sub_norm,
                             &layer.q_norm, &layer.k_norm}) {
      if (norm->has_value()) norms.push_back(&**norm);
    }
  }
  return norms;
}

inline std::vector<float> Floats(const files::StoredTensor& tensor) {
  const std::uint64_t rows = tensor.ElementCount() / tensor.shape.back();
  std::vector<float> values(tensor.ElementCount());
  files::ReadFloats(tensor, 0, rows, values.data());
  return values;
}

// Codes, scales and norms of the two are bit-equal.
inline void ExpectSameWeights(const Checkpoint& a, const Checkpoint& b) {
  const auto linears_a = Linears(a);
  const auto linears_b = Linears(b);
  ASSERT_EQ(linears_a.size(), linears_b.size());
  for (std::size_t i = 0; i < linears_a.size(); ++i) {
    EXPECT_EQ(ReadLinear(*linears_a[i]), ReadLinear(*linears_b[i]))
        << linears_a[i]->weight.name;
  }
  const auto norms_a = Norms(a);
  const auto norms_b = Norms(b);
  ASSERT_EQ(norms_a.size(), norms_b.size());
  for (std::size_t i = 0; i < norms_a.size(); ++i) {
    EXPECT_EQ(Floats(*norms_a[i]), Floats(*norms_b[i])) << norms_a[i]->name;
  }
}

}  // namespace tern::checkpoint

#endif  // TERN_TESTS_RUNTIME_CHECKPOINT_COMPARE_H_
