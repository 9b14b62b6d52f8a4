#include <string>

#include "runtime/inspect/inspection.h"
#include "runtime/tokenizer/gguf_pre_tokenizer.h"

namespace tern::inspect {
namespace {

using files::GgufFile;

class Inferred {
 public:
  Inferred(Inspection& inspection, const ModelConfig& config)
      : lines_(inspection.report.inferred), config_(config) {
    for (const auto& [key, value] : inspection.report.metadata) {
      keys_.insert(key);
    }
  }

  void Gguf(const GgufFile& file);
  void HuggingFace();

 private:
  void Missing(const std::string& key, const std::string& what) {
    if (!keys_.contains(key)) lines_.push_back(key + " is missing: " + what);
  }
  [[nodiscard]] std::string HeadDim() const {
    return std::to_string(config_.head_dim) +
           ", the hidden size divided by the heads";
  }
  [[nodiscard]] std::string KvHeads() const {
    return std::to_string(config_.num_kv_heads) +
           ", as many key/value heads as heads";
  }

  std::vector<std::string>& lines_;
  const ModelConfig& config_;
  std::set<std::string> keys_;
};

void Inferred::Gguf(const GgufFile& file) {
  const std::string* architecture = file.String("general.architecture");
  if (architecture == nullptr) return;  // it could not be read this time
  const std::string prefix = *architecture + ".";
  Missing(prefix + "vocab_size", std::to_string(config_.vocab_size) +
                                     ", the rows of token_embd.weight");
  Missing(prefix + "attention.head_count_kv", KvHeads());
  Missing(prefix + "attention.key_length", HeadDim());
  Missing(prefix + "rope.freq_base", "10000, the default of ggml");
  Missing("tern.activations",
          std::string(config_.input_type == InputType::kInt8
                          ? "ternary layers take int8"
                          : "ternary layers take floats") +
              ", as models of this architecture are trained");
  if (config_.tied_head) {
    lines_.emplace_back(
        "output.weight is missing: the output head is token_embd.weight");
  }
  const std::string* model = file.String("tokenizer.ggml.model");
  if (model == nullptr || *model != "gpt2") return;
  const auto pre = tokenizer::FindGgufPreTokenizer(file);
  if (pre.origin.empty()) return;
  lines_.push_back("pre-tokenizer " + std::string(pre.kind->name) + pre.origin);
}

void Inferred::HuggingFace() {
  Missing("num_key_value_heads", KvHeads());
  Missing("head_dim", HeadDim());
  if (!keys_.contains("rope_parameters.rope_theta")) {
    Missing("rope_theta", "10000, the default of transformers");
  }
  Missing("tie_word_embeddings", "the output head is lm_head.weight");
  if (!keys_.contains("quantization_config.quant_method")) return;
  Missing("quantization_config.linear_class",
          "bitlinear, which makes weight_scale a divisor");
  Missing("quantization_config.quantization_mode", "offline: packed weights");
}

}  // namespace

void ListInferred(const Container& container, const ModelConfig& config,
                  Inspection& inspection) {
  Inferred inferred(inspection, config);
  // What cannot be inferred is among the problems already.
  files::Reporting([](const Error&) {},
                   [&] {
                     if (container.gguf) {
                       inferred.Gguf(*container.gguf);
                     } else {
                       inferred.HuggingFace();
                     }
                   });
}

}  // namespace tern::inspect
