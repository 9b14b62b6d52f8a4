// GGUF files of architecture bitnet-b1.58, as bitnet.cpp and llama.cpp write
// them.
#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>

#include <tern/error.h>

#include "runtime/checkpoint/config_limits.h"
#include "runtime/checkpoint/formats.h"
#include "runtime/checkpoint/tensor_table.h"
#include "runtime/files/gguf.h"
#include "runtime/files/quote.h"

namespace tern::checkpoint {
namespace {

using files::GgufFile;
using files::Quote;
using files::StoredTensor;
using files::StoredType;

constexpr TensorNames kNames = {
    .embedding = "token_embd.weight",
    .output_norm = "output_norm.weight",
    .head = "output.weight",
    .layers = "blk",
    .attn_norm = "attn_norm",
    .q = "attn_q",
    .k = "attn_k",
    .v = "attn_v",
    .attn_sub_norm = "attn_sub_norm",
    .o = "attn_output",
    .ffn_norm = "ffn_norm",
    .gate = "ffn_gate",
    .up = "ffn_up",
    .ffn_sub_norm = "ffn_sub_norm",
    .down = "ffn_down",
};

// Keys below the architecture's name that ReadConfig uses.
constexpr std::array<std::string_view, 12> kConfigKeys = {
    "vocab_size",
    "context_length",
    "embedding_length",
    "block_count",
    "feed_forward_length",
    "rope.dimension_count",
    "rope.freq_base",
    "attention.head_count",
    "attention.head_count_kv",
    "attention.key_length",
    "attention.value_length",
    "attention.layer_norm_rms_epsilon",
};

class GgufConfig {
 public:
  explicit GgufConfig(const GgufFile& file) : file_(file) {}

  ModelConfig Read();

 private:
  void ReadArchitecture();
  void CheckKeys() const;
  void CheckOutsideKey(const std::string& key) const;
  [[nodiscard]] bool IsNeutral(std::string_view key) const;
  void CheckHeadDim(const char* key, std::size_t head_dim) const;
  [[nodiscard]] std::size_t Size(const char* key) const;
  [[nodiscard]] float Float(const char* key) const;
  [[nodiscard]] std::size_t VocabSize() const;

  [[nodiscard]] std::string Key(std::string_view name) const {
    return prefix_ + std::string(name);
  }
  [[nodiscard]] std::string Place(const std::string& key) const {
    return file_.path.string() + ": key " + Quote(key);
  }
  [[noreturn]] void RefuseKey(const std::string& key,
                              const std::string& why) const {
    throw Error(ErrorCode::kUnsupported,
                Place(key) + ": " + why +
                    "; tern runs nothing that it does not understand");
  }

  const GgufFile& file_;
  std::string prefix_;  // "bitnet-b1.58."
};

void GgufConfig::ReadArchitecture() {
  const std::string key = "general.architecture";
  const std::string* architecture = file_.String(key);
  if (architecture == nullptr) {
    throw Error(ErrorCode::kNotFound,
                Place(key) + ": is missing; convert the model again");
  }
  if (*architecture != "bitnet-b1.58" && *architecture != "bitnet-25") {
    throw Error(ErrorCode::kUnsupported,
                Place(key) + ": architecture " + Quote(*architecture) +
                    " is not supported; tern runs bitnet-b1.58 (also written "
                    "bitnet-25)");
  }
  prefix_ = *architecture + ".";
}

// Settings that bitnet-b1.58 does not have, at the value that changes nothing.
bool GgufConfig::IsNeutral(std::string_view name) const {
  const std::string key = Key(name);
  if (name == "rope.scaling.type") {
    const std::string* type = file_.String(key);
    return *type == "none" ||
           (*type == "linear" && file_.Number(Key("rope.scaling.factor")) == 1);
  }
  if (name == "rope.scaling.factor") {
    return file_.Number(key) == 1;
  }
  if (name == "attention.causal") {
    return file_.Bool(key) == true;
  }
  if (name == "use_parallel_residual") {
    return file_.Bool(key) == false;
  }
  if (name == "expert_count" || name == "expert_used_count") {
    return file_.Unsigned(key) == 0;
  }
  return false;
}

void GgufConfig::CheckOutsideKey(const std::string& key) const {
  if (key == "general.type" && *file_.String(key) != "model") {
    RefuseKey(key, "the file is " + Quote(*file_.String(key)) +
                       ", not a whole model");
  }
  if (key == "split.count" && file_.Unsigned(key) > 1) {
    RefuseKey(key,
              "this is one part of a model that is split over several files; "
              "merge them first");
  }
  if (key.starts_with("prism.")) {
    RefuseKey(key,
              "the weights are rotated (Hadamard), which would need "
              "rotated activations");
  }
  for (const char* known : {"general.", "tokenizer.", "split.", "quantize."}) {
    if (key.starts_with(known)) {
      return;
    }
  }
  RefuseKey(key, "is unknown, and might change the result");
}

void GgufConfig::CheckKeys() const {
  for (const auto& [key, value] : file_.metadata) {
    if (!key.starts_with(prefix_)) {
      CheckOutsideKey(key);
      continue;
    }
    const std::string_view name = std::string_view(key).substr(prefix_.size());
    if (std::find(kConfigKeys.begin(), kConfigKeys.end(), name) ==
            kConfigKeys.end() &&
        !IsNeutral(name)) {
      RefuseKey(key, "is unknown, or not at the value that changes nothing");
    }
  }
}

std::size_t GgufConfig::Size(const char* name) const {
  const auto value = file_.Unsigned(Key(name));
  if (!value) {
    throw Error(ErrorCode::kNotFound,
                Place(Key(name)) + ": is missing; convert the model again");
  }
  return *value;
}

float GgufConfig::Float(const char* name) const {
  const auto value = file_.Number(Key(name));
  if (!value) {
    throw Error(ErrorCode::kNotFound,
                Place(Key(name)) + ": is missing; convert the model again");
  }
  return static_cast<float>(*value);
}

// Some writers leave it to the embedding's shape.
std::size_t GgufConfig::VocabSize() const {
  const auto embedding = file_.tensors.find(kNames.embedding);
  if (file_.metadata.contains(Key("vocab_size")) ||
      embedding == file_.tensors.end()) {
    return Size("vocab_size");
  }
  return embedding->second.shape.front();
}

void GgufConfig::CheckHeadDim(const char* name, std::size_t head_dim) const {
  if (file_.Unsigned(Key(name)).value_or(head_dim) != head_dim) {
    RefuseKey(Key(name), "is not the head size, " + std::to_string(head_dim));
  }
}

ModelConfig GgufConfig::Read() {
  ReadArchitecture();
  CheckKeys();
  ModelConfig config;
  config.architecture = "bitnet-b1.58";
  if (const std::string* name = file_.String("general.name")) {
    config.name = *name;
  }
  config.activation = Activation::kSquaredRelu;
  config.hidden_size = Size("embedding_length");
  config.num_layers = Size("block_count");
  config.ffn_size = Size("feed_forward_length");
  config.num_heads = Size("attention.head_count");
  // Without it, GGUF means a key/value head for each head.
  config.num_kv_heads =
      file_.Unsigned(Key("attention.head_count_kv")).value_or(config.num_heads);
  const auto key_length = file_.Unsigned(Key("attention.key_length"));
  config.head_dim = key_length
                        ? *key_length
                        : DefaultHeadDim(config.hidden_size, config.num_heads,
                                         file_.path.string());
  config.max_context = Size("context_length");
  config.rope_theta = Float("rope.freq_base");
  config.norm_eps = Float("attention.layer_norm_rms_epsilon");
  config.tied_head = !file_.tensors.contains(kNames.head);
  config.vocab_size = VocabSize();
  CheckConfig(config, file_.path.string());
  CheckHeadDim("attention.value_length", config.head_dim);
  CheckHeadDim("rope.dimension_count", config.head_dim);
  return config;
}

LinearSource TakeGgufLinear(TensorTable& table, const std::string& name,
                            std::size_t rows, std::size_t cols) {
  LinearSource source;
  source.rows = rows;
  source.cols = cols;
  source.weight = table.Take(name + ".weight", {rows, cols});
  const StoredTensor& weight = source.weight;
  if (weight.type == StoredType::kI2S || weight.type == StoredType::kTq2_0) {
    source.kind = LinearKind::kTernary;
    if (weight.type == StoredType::kI2S && rows * cols % 128 != 0) {
      throw Error(ErrorCode::kUnsupported,
                  weight.Place() + ": " + std::to_string(rows * cols) +
                      " weights as I2_S, which has blocks of 128; convert the "
                      "model again from the original");
    }
  } else if (IsPlainFloat(weight.type)) {
    source.kind = LinearKind::kDense;
  } else {
    RefuseType(weight, "I2_S, TQ2_0, F32, F16 or BF16");
  }
  return source;
}

}  // namespace

Checkpoint OpenGguf(const std::filesystem::path& path) {
  GgufFile file = files::ReadGguf(path);
  Checkpoint checkpoint;
  checkpoint.path = path;
  checkpoint.files = {path};
  checkpoint.format = "GGUF v" + std::to_string(file.version);
  checkpoint.config = GgufConfig(file).Read();
  TensorTable table(path, std::move(file.tensors));
  BindTensors(table, kNames, TakeGgufLinear, checkpoint);
  return checkpoint;
}

}  // namespace tern::checkpoint
