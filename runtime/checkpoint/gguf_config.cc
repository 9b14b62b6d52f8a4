#include "runtime/checkpoint/gguf_config.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>

#include <tern/error.h>

#include "runtime/checkpoint/architectures.h"
#include "runtime/checkpoint/config_limits.h"
#include "runtime/files/quote.h"
#include "runtime/files/t2_file.h"
#include "runtime/rope.h"

namespace tern::checkpoint {
namespace {

using files::GgufFile;
using files::Quote;

constexpr const char* kEmbeddingName = "token_embd.weight";
constexpr const char* kHeadName = "output.weight";
constexpr float kDefaultRopeTheta = 10000;

// Keys below the architecture's name that ReadConfig uses.
constexpr std::array<std::string_view, 16> kConfigKeys = {
    "vocab_size",
    "context_length",
    "embedding_length",
    "block_count",
    "feed_forward_length",
    "rope.dimension_count",
    "rope.freq_base",
    "rope.scaling.type",
    "rope.scaling.factor",
    "rope.scaling.finetuned",  // says nothing that is computed
    "rope.scaling.original_context_length",
    "attention.head_count",
    "attention.head_count_kv",
    "attention.key_length",
    "attention.value_length",
    "attention.layer_norm_rms_epsilon",
};

class GgufConfig {
 public:
  GgufConfig(const GgufFile& file, const files::OnFault& on_fault)
      : file_(file), on_fault_(on_fault) {}

  ModelConfig Read();

 private:
  ModelConfig ReadArchitecture();
  void CheckGate(const ModelConfig& config) const;
  void ReadRope(ModelConfig& config) const;
  void ReadTernKeys(ModelConfig& config) const;
  void CheckKeys() const;
  void CheckKey(const std::string& key) const;
  void ReadSizes(ModelConfig& config);
  void CheckOutsideKey(const std::string& key) const;
  [[nodiscard]] bool IsNeutral(std::string_view key) const;
  void CheckHeadDim(const char* key, std::size_t head_dim) const;
  [[nodiscard]] std::size_t Size(const char* key) const;
  [[nodiscard]] float Float(const char* key) const;
  [[nodiscard]] std::size_t VocabSize() const;
  template <class Fn>
  void Require(const Fn& read);

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
  const files::OnFault& on_fault_;
  std::optional<Error> failure_;  // the last of what Require told
  std::string prefix_;            // "bitnet-b1.58."
};

ModelConfig GgufConfig::ReadArchitecture() {
  const std::string key = "general.architecture";
  const std::string* architecture = file_.String(key);
  if (architecture == nullptr) {
    throw Error(ErrorCode::kNotFound,
                Place(key) + ": is missing; convert the model again");
  }
  prefix_ = *architecture + ".";
  // An older name of it.
  const Architecture* known = FindArchitecture(
      *architecture == "bitnet-25" ? "bitnet-b1.58" : *architecture);
  if (known == nullptr) {
    throw Error(ErrorCode::kUnsupported,
                Place(key) + ": architecture " + Quote(*architecture) +
                    " is not supported; tern runs " + ArchitectureNames());
  }
  return ConfigOf(*known);
}

// Settings that no architecture here has, at the value that changes nothing.
bool GgufConfig::IsNeutral(std::string_view name) const {
  const std::string key = Key(name);
  if (name == "attention.causal") {
    return file_.Bool(key) == true;
  }
  if (name == "use_parallel_residual") {
    return file_.Bool(key) == false;
  }
  if (name == "tensor_data_layout") {
    const std::string* layout = file_.String(key);
    return layout != nullptr &&
           *layout == "Meta AI original pth";  // as always here
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
  if (key == kInputTypeKey || key == kProjectionEpsKey ||
      key == kRopeFrequenciesKey || key == kRopeMagnitudeKey ||
      key == kHuggingFaceKey || key == files::kT2VersionKey) {
    return;
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
    files::Reporting(on_fault_, [&, &name = key] { CheckKey(name); });
  }
}

void GgufConfig::CheckKey(const std::string& key) const {
  if (!key.starts_with(prefix_)) {
    CheckOutsideKey(key);
    return;
  }
  const std::string_view name = std::string_view(key).substr(prefix_.size());
  if (!IsConfigKey(name) && !IsNeutral(name)) {
    RefuseKey(key, "is unknown, or not at the value that changes nothing");
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
  const auto embedding = file_.tensors.find(kEmbeddingName);
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

// llama.cpp converts 2B4T, whose gate is squared ReLU, under the name of
// 1bitLLM's models, whose gate is SiLU.  Their vocabulary of 32,002 is all that
// tells them apart.
void GgufConfig::CheckGate(const ModelConfig& config) const {
  constexpr std::size_t k2B4TVocab = 128256;
  if (config.architecture == "bitnet" && config.vocab_size == k2B4TVocab) {
    RefuseKey(
        "general.architecture",
        "'bitnet' means a SiLU gate, but the vocabulary is that of BitNet "
        "b1.58 2B4T, whose gate is squared ReLU; take the file that was "
        "published (architecture bitnet-b1.58)");
  }
}

// none, linear and yarn, as ggml names them; Llama 3's scaling is a tensor.
void GgufConfig::ReadRope(ModelConfig& config) const {
  // Writers left it out while every model had ggml's default.
  const bool has_default =
      config.architecture == "llama" || config.architecture == "bitnet";
  config.rope_theta =
      has_default && !file_.metadata.contains(Key("rope.freq_base"))
          ? kDefaultRopeTheta
          : Float("rope.freq_base");
  const std::string type_key = Key("rope.scaling.type");
  const std::string* type = file_.String(type_key);
  const auto factor =
      static_cast<float>(file_.Number(Key("rope.scaling.factor")).value_or(1));
  const bool is_known =
      type != nullptr && (*type == "linear" || *type == "yarn");
  if (type == nullptr || *type == "none" || (is_known && factor == 1)) {
    if (type == nullptr && factor != 1) {
      RefuseKey(Key("rope.scaling.factor"), "there is no rope.scaling.type");
    }
    return;
  }
  config.rope_frequencies = RopeFrequencies(config.rope_theta, config.head_dim);
  if (*type == "linear") {
    ScaleRopeLinear(factor, config.rope_frequencies);
  } else if (*type == "yarn") {
    YarnRope scaling;
    scaling.factor = factor;
    scaling.original_context =
        static_cast<float>(Size("rope.scaling.original_context_length"));
    config.rope_magnitude =
        ScaleRopeYarn(scaling, config.rope_theta, config.rope_frequencies);
  } else {
    RefuseKey(type_key, "scaling of rotary positions " + Quote(*type) +
                            " is not supported, only linear and yarn");
  }
}

// What GGUF has no words for and tern pack writes.
void GgufConfig::ReadTernKeys(ModelConfig& config) const {
  if (file_.metadata.contains(kInputTypeKey)) {
    const std::string* inputs = file_.String(kInputTypeKey);
    if (inputs == nullptr || (*inputs != "int8" && *inputs != "none")) {
      RefuseKey(kInputTypeKey, "is neither int8 nor none");
    }
    config.input_type =
        *inputs == "int8" ? InputType::kInt8 : InputType::kFloat;
  }
  if (const auto* frequencies = file_.Numbers(kRopeFrequenciesKey)) {
    if (frequencies->size() != config.head_dim / 2 ||
        !config.rope_frequencies.empty()) {
      RefuseKey(kRopeFrequenciesKey,
                "does not fit the head size, or there is a rope.scaling too");
    }
    config.rope_frequencies.assign(frequencies->begin(), frequencies->end());
  }
  if (const auto magnitude = file_.Number(kRopeMagnitudeKey)) {
    if (!file_.metadata.contains(kRopeFrequenciesKey)) {
      RefuseKey(kRopeMagnitudeKey, "there is no tern.rope_frequencies");
    }
    config.rope_magnitude = static_cast<float>(*magnitude);
  }
  if (const auto eps = file_.Number(kProjectionEpsKey)) {
    config.projection_norms = true;
    config.projection_norm_eps = static_cast<float>(*eps);
  }
}

// One setting that nothing goes without: a fault of it does not keep the others
// from being looked at.
template <class Fn>
void GgufConfig::Require(const Fn& read) {
  try {
    read();
  } catch (const Error& fault) {
    on_fault_(fault);
    failure_ = fault;
  }
}

void GgufConfig::ReadSizes(ModelConfig& config) {
  Require([&] { config.hidden_size = Size("embedding_length"); });
  Require([&] { config.num_layers = Size("block_count"); });
  Require([&] { config.ffn_size = Size("feed_forward_length"); });
  Require([&] { config.num_heads = Size("attention.head_count"); });
  Require([&] {
    // Without it, GGUF means a key/value head for each head.
    config.num_kv_heads = file_.Unsigned(Key("attention.head_count_kv"))
                              .value_or(config.num_heads);
  });
  Require([&] { config.max_context = Size("context_length"); });
  Require([&] { config.norm_eps = Float("attention.layer_norm_rms_epsilon"); });
  config.tied_head = !file_.tensors.contains(kHeadName);
  Require([&] { config.vocab_size = VocabSize(); });
  if (failure_) throw Error(*failure_);
  const auto key_length = file_.Unsigned(Key("attention.key_length"));
  config.head_dim = key_length
                        ? *key_length
                        : DefaultHeadDim(config.hidden_size, config.num_heads,
                                         file_.path.string());
}

ModelConfig GgufConfig::Read() {
  ModelConfig config = ReadArchitecture();
  CheckKeys();
  if (const std::string* name = file_.String("general.name")) {
    config.name = *name;
  }
  ReadSizes(config);
  CheckGate(config);
  CheckSizes(config, file_.path.string());
  CheckHeadDim("attention.value_length", config.head_dim);
  CheckHeadDim("rope.dimension_count", config.head_dim);
  ReadRope(config);
  ReadTernKeys(config);
  CheckConfig(config, file_.path.string());
  return config;
}

}  // namespace

bool IsConfigKey(std::string_view name) {
  return std::find(kConfigKeys.begin(), kConfigKeys.end(), name) !=
         kConfigKeys.end();
}

ModelConfig ReadGgufConfig(const GgufFile& file,
                           const files::OnFault& on_fault) {
  return GgufConfig(file, on_fault).Read();
}

}  // namespace tern::checkpoint
