// The reference itself, against what Hugging Face transformers gives for the
// same folders.  Only readers of the tests are used.
#include "tests/support/reference_model.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/golden.h"
#include "tests/support/reference_files.h"

namespace tern::testing {
namespace {

using Tensors = std::map<std::string, FloatTensor>;

// Largest difference at each position.
std::vector<double> Differences(const std::vector<float>& got,
                                const std::vector<float>& want,
                                std::size_t tokens) {
  const std::size_t width = want.size() / tokens;
  std::vector<double> differences;
  for (std::size_t t = 0; t < tokens; ++t) {
    differences.push_back(
        Compare(got.data() + t * width, want.data() + t * width, width).max);
  }
  return differences;
}

// Every position before the first that lies near a rounding boundary is equal,
// and there are such positions.
void ExpectGolden(const std::filesystem::path& model,
                  const std::filesystem::path& golden) {
  SCOPED_TRACE(model);
  const ReferenceModel reference = ReadReferenceModel(model);
  const Tensors want = ReadTensors(golden);
  std::size_t compared = 0;
  for (const auto& [name, tensor] : want) {
    if (!name.ends_with(".ids")) continue;
    const std::string logits = name.substr(0, name.find('.')) + ".logits";
    ASSERT_TRUE(want.contains(logits));
    const std::vector<std::int32_t> ids(tensor.values.begin(),
                                        tensor.values.end());
    const ReferenceOutput out = RunReference(reference, ids);
    const std::vector<double> differences =
        Differences(out.logits, want.at(logits).values, ids.size());
    for (std::size_t t = 0; t < ids.size(); ++t) {
      if (out.boundary_distance[t] < 3e-5) continue;
      EXPECT_LE(differences[t], 5e-5) << name << " position " << t;
      ++compared;
    }
  }
  EXPECT_GT(compared, 0U);
}

TEST(ReferenceModel, GivesTheOutputsOfBitNet) {
  const auto folder = GoldenDir() / "z1-bitnet-2b4t-packed";
  ExpectGolden(folder, folder / "golden_float32.safetensors");
}

}  // namespace
}  // namespace tern::testing
