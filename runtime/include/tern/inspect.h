// What a model file says, for people and scripts: every tensor, the
// hyperparameters, the tokenizer, and what was found wrong with it.
#ifndef TERN_INSPECT_H_
#define TERN_INSPECT_H_

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tern/api.h>
#include <tern/model.h>
#include <tern/session.h>

namespace tern {

struct TensorReport {
  std::string name;                  // as the file spells it
  std::string type;                  // "I2_S", "BF16", ...
  std::vector<std::uint64_t> shape;  // outermost first: rows, columns
  std::uint64_t bytes = 0;
  std::string file;          // file name of the shard that holds it
  std::uint64_t offset = 0;  // of its first byte in that file
  // What its bytes say of its type and place, where these leave a question:
  // "type 42: Q2_0 (18-byte blocks of 64) fits, ... does not fit: ...".
  std::string verdict;
  // Ternary tensors whose codes could be read:
  bool is_ternary = false;
  float scale_min = 0;
  float scale_max = 0;
  double share_minus = 0;  // of weights that are -1, 0 and +1
  double share_zero = 0;
  double share_plus = 0;
};

struct MemoryReport {
  std::size_t context_length = 0;
  std::uint64_t ternary_bytes = 0;    // 2-bit codes, in the kernels' layout
  std::uint64_t dense_bytes = 0;      // linear layers that are not ternary
  std::uint64_t embedding_bytes = 0;  // and head
  std::uint64_t norm_bytes = 0;
  std::uint64_t cache_bytes = 0;
  std::uint64_t scratch_bytes = 0;
};

struct ModelReport {
  std::string format;  // "GGUF v3", "Hugging Face, packed bitnet", ...
  // Metadata that is not a tensor, as the file spells it (long arrays
  // shortened).
  std::vector<std::pair<std::string, std::string>> metadata;
  std::vector<TensorReport> tensors;
  // Absent where it cannot be read; `problems` says why.
  std::optional<ModelConfig> config;
  std::string tokenizer;      // Tokenizer::description(), or why there is none
  std::string chat_template;  // DescribeChatTemplate()
  std::optional<MemoryReport> memory;  // absent where the file cannot be run
  // Everything that is wrong, not only the first thing, in the words of Error.
  std::vector<std::string> problems;
  // What is odd, but no reason to refuse the file: scales that no trained model
  // has.
  std::vector<std::string> warnings;
  // What the file leaves open, and what tern takes for it.
  std::vector<std::string> inferred;
  // Whether Model::Load takes the file, with a tokenizer or without; in words,
  // with what to do if not.
  bool runs = false;
  std::string verdict;
};

struct InspectOptions {
  std::size_t context_length = 0;  // for the memory table; 0: the model's own
  KvType kv_type = KvType::kF16;
  std::optional<InputType> input_type = std::nullopt;  // as in LoadOptions
  I2SLayout i2s_layout = I2SLayout::kA;
};

// Reads the whole file once (for the shares and scales).  Throws Error only if
// nothing can be said at all: no such file, or neither GGUF nor safetensors.
TERN_API ModelReport Inspect(const std::filesystem::path& path,
                             const InspectOptions& options = {});

}  // namespace tern

#endif  // TERN_INSPECT_H_
