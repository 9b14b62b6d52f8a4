// Reference outputs for tests: tensors of a safetensors file by name.
#ifndef TERN_TESTS_SUPPORT_GOLDEN_H_
#define TERN_TESTS_SUPPORT_GOLDEN_H_

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include <tern/tokenizer.h>

#include "runtime/files/safetensors.h"

namespace tern::testing {

// Folders: what ships with the tests, the source tree, and the folder of large
// reference models (empty if the build was not given one).
std::filesystem::path GoldenDir();
std::filesystem::path SourceDir();
std::filesystem::path ReferenceDir();

class Golden {
 public:
  explicit Golden(const std::filesystem::path& path)
      : tensors_(files::ReadSafetensors(path)) {}

  [[nodiscard]] bool Has(const std::string& name) const {
    return tensors_.contains(name);
  }
  // Any shape, flattened; throws if there is no such tensor.
  [[nodiscard]] std::vector<float> Floats(const std::string& name) const;
  // Of an I32 tensor.
  [[nodiscard]] std::vector<Token> Ids(const std::string& name) const;
  // The part before the first dot of every name that ends in `suffix`.
  [[nodiscard]] std::vector<std::string> Names(const std::string& suffix) const;

 private:
  files::TensorMap tensors_;
};

struct Difference {
  double max = 0;
  double rms = 0;
};
Difference Compare(const float* got, const float* want, std::size_t size);

// KL divergence in nats of softmax(got) from softmax(want).
double KlDivergence(const float* want, const float* got, std::size_t size);
// -log softmax(logits)[id].
double NegativeLogLikelihood(const float* logits, std::size_t size, Token id);
std::size_t Argmax(const float* values, std::size_t size);

}  // namespace tern::testing

#endif  // TERN_TESTS_SUPPORT_GOLDEN_H_
