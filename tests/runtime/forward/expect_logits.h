// A loaded model against the reference pass, position by position.
#ifndef TERN_TESTS_RUNTIME_FORWARD_EXPECT_LOGITS_H_
#define TERN_TESTS_RUNTIME_FORWARD_EXPECT_LOGITS_H_

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

#include <tern/model.h>

#include "tests/runtime/files/tiny_model.h"
#include "tests/support/reference_model.h"
#include "tests/support/synthetic_model.h"
#include "tests/support/temporary_directory.h"

namespace tern::testing {

// Logits [tokens][vocab] of a session with a float32 cache that is given
// `chunk` tokens at a time.
std::vector<float> LogitsOf(const std::shared_ptr<const Model>& model,
                            const std::vector<std::int32_t>& ids,
                            std::size_t chunk = 512, int num_threads = 2);

// What two computations of the same model may differ by, in logits of a
// standard deviation of 2; scaled for others.
inline constexpr double kFloatTolerance = 2e-4;  // float activations
inline constexpr double kExactTolerance = 1e-4;  // int8, no rounding differs
inline constexpr double kNearBoundary = 3e-5;    // of an int8 activation
inline constexpr double kRoundedRms = 0.07;      // int8, some rounding differs
inline constexpr double kRoundedMax = 0.3;

// Logits `got` [tokens][vocab] against `want`, each position by itself:
// kExactTolerance where boundary_distance (ReferenceOutput) is not below
// kNearBoundary, the bounds of a different rounding elsewhere.
void ExpectLogits(const std::vector<float>& got, const std::vector<float>& want,
                  const std::vector<double>& boundary_distance);
// Everywhere within kFloatTolerance.
void ExpectFloatLogits(const std::vector<float>& got,
                       const std::vector<float>& want);

// Loads the model and compares three sequences of 12 tokens by the rule for
// reference.int8_input.  Other chunks and numbers of threads give the same
// logits, bit for bit.
void ExpectReference(const std::filesystem::path& path,
                     const ReferenceModel& reference,
                     const LoadOptions& options = {});

// Files of synthetic models in a directory that goes away with the test.
class ModelFiles {
 public:
  std::filesystem::path Write(const test::GgufParts& parts) {
    std::filesystem::path path = directory_ / NextName(".gguf");
    WriteFile(path, test::Serialize(parts));
    return path;
  }
  std::filesystem::path Write(const HfParts& parts, std::size_t shards = 1) {
    std::filesystem::path path = directory_ / NextName("");
    WriteHuggingFace(parts, path, shards);
    return path;
  }

 private:
  std::string NextName(const char* extension) {
    return "model-" + std::to_string(count_++) + extension;
  }

  TemporaryDirectory directory_;
  int count_ = 0;
};

}  // namespace tern::testing

#endif  // TERN_TESTS_RUNTIME_FORWARD_EXPECT_LOGITS_H_
