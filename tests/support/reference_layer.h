// A layer of bitnet-b1.58 in plain loops and double precision, apart from the
// rounding of activations, which is the float32 formula of the training rule.
// It shares only the file readers with the runtime.
#ifndef TERN_TESTS_SUPPORT_REFERENCE_LAYER_H_
#define TERN_TESTS_SUPPORT_REFERENCE_LAYER_H_

#include <cstddef>
#include <vector>

#include "runtime/checkpoint/checkpoint.h"

namespace tern::testing {

struct LayerResult {
  std::vector<double> x;  // [tokens][hidden] after the layer
  // [tokens]: how near the activation nearest to a rounding boundary is, over
  // all four quantisers of the layer; in units of the integer.
  std::vector<double> boundary_distance;
};

// x [tokens][hidden], positions 0 .. tokens-1.
LayerResult ReferenceLayer(const checkpoint::Checkpoint& model,
                           std::size_t layer, std::size_t tokens,
                           const std::vector<double>& x);

// RMSNorm of rows [tokens][weight size].
std::vector<double> ReferenceNorm(const std::vector<double>& x,
                                  const files::StoredTensor& weight,
                                  double eps);

}  // namespace tern::testing

#endif  // TERN_TESTS_SUPPORT_REFERENCE_LAYER_H_
