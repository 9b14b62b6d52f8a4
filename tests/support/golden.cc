#include "tests/support/golden.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace tern::testing {
namespace {

double LogSumExp(const float* values, std::size_t size) {
  const double max = *std::max_element(values, values + size);
  double sum = 0;
  for (std::size_t i = 0; i < size; ++i) sum += std::exp(values[i] - max);
  return max + std::log(sum);
}

}  // namespace

std::filesystem::path SourceDir() { return TERN_SOURCE_DIR; }
std::filesystem::path GoldenDir() { return SourceDir() / "tests" / "golden"; }
std::filesystem::path ReferenceDir() { return TERN_REFERENCE_DIR; }

std::vector<float> Golden::Floats(const std::string& name) const {
  const files::StoredTensor& tensor = tensors_.at(name);
  const std::uint64_t rows = tensor.shape.size() > 1 ? tensor.shape[0] : 1;
  std::vector<float> values(tensor.ElementCount());
  files::ReadFloats(tensor, 0, rows, values.data());
  return values;
}

std::vector<Token> Golden::Ids(const std::string& name) const {
  const files::StoredTensor& tensor = tensors_.at(name);
  if (tensor.type_name != "I32") throw std::runtime_error(tensor.Place());
  const std::vector<std::uint8_t> bytes = tensor.ReadAll();
  std::vector<Token> ids(bytes.size() / sizeof(Token));
  std::memcpy(ids.data(), bytes.data(), bytes.size());
  return ids;
}

std::vector<std::string> Golden::Names(const std::string& suffix) const {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : tensors_) {
    if (name.ends_with(suffix)) names.push_back(name.substr(0, name.find('.')));
  }
  return names;
}

Difference Compare(const float* got, const float* want, std::size_t size) {
  Difference difference;
  for (std::size_t i = 0; i < size; ++i) {
    const double d = std::abs(static_cast<double>(got[i]) - want[i]);
    // A NaN must not compare as small.
    difference.max = d <= difference.max ? difference.max : d;
    difference.rms += d * d;
  }
  difference.rms = std::sqrt(difference.rms / static_cast<double>(size));
  return difference;
}

double KlDivergence(const float* want, const float* got, std::size_t size) {
  const double want_norm = LogSumExp(want, size);
  const double got_norm = LogSumExp(got, size);
  double sum = 0;
  for (std::size_t i = 0; i < size; ++i) {
    const double log_p = want[i] - want_norm;
    sum += std::exp(log_p) * (log_p - (got[i] - got_norm));
  }
  return sum;
}

double NegativeLogLikelihood(const float* logits, std::size_t size, Token id) {
  return LogSumExp(logits, size) - logits[id];
}

std::size_t Argmax(const float* values, std::size_t size) {
  return static_cast<std::size_t>(std::max_element(values, values + size) -
                                  values);
}

}  // namespace tern::testing
