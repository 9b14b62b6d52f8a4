// Hugging Face folders read by the shortest possible code, for the reference
// model: it shares nothing with the readers that it checks.
#ifndef TERN_TESTS_SUPPORT_REFERENCE_FILES_H_
#define TERN_TESTS_SUPPORT_REFERENCE_FILES_H_

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "tests/support/reference_model.h"

namespace tern::testing {

struct FloatTensor {
  std::vector<std::size_t> shape;
  std::vector<float> values;  // U8 and I32 as their numbers
};

// All tensors of a safetensors file.
std::map<std::string, FloatTensor> ReadTensors(
    const std::filesystem::path& path);

// config.json and model.safetensors of BitNet (packed or master), Llama
// (BitLinear, AutoBitLinear, with or without norms of the projections) and
// TriLM.
ReferenceModel ReadReferenceModel(const std::filesystem::path& directory);

// The float32 with these bits of an IEEE binary16.
float HalfToFloat(std::uint16_t bits);

}  // namespace tern::testing

#endif  // TERN_TESTS_SUPPORT_REFERENCE_FILES_H_
