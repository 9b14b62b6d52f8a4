#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include <tern/error.h>
#include <tern/model.h>

#include "runtime/check_checksums.h"
#include "runtime/checkpoint/checkpoint.h"
#include "runtime/fingerprint.h"
#include "runtime/load_tokenizer.h"
#include "runtime/load_weights.h"
#include "runtime/out_of_memory.h"
#include "runtime/weights.h"
#include "ternary_kernels/targets.h"

namespace tern {
namespace {

using checkpoint::Checkpoint;

// Bytes of the norms and of all linear layers.
std::uint64_t LayerBytes(const Weights& weights) {
  std::uint64_t bytes = weights.output_norm.size() * sizeof(float);
  for (const LayerWeights& w : weights.layers) {
    bytes +=
        (w.attn_norm.size() + w.q_norm.size() + w.k_norm.size() +
         w.attn_sub_norm.size() + w.ffn_norm.size() + w.ffn_sub_norm.size()) *
        sizeof(float);
    for (const Linear* linear :
         {&w.q, &w.k, &w.v, &w.o, &w.gate, &w.up, &w.down}) {
      bytes += linear->bytes();
    }
  }
  return bytes;
}

const char* DenseTypeName(kernels::DenseType type) {
  switch (type) {
    case kernels::DenseType::kF32:
      return "f32";
    case kernels::DenseType::kF16:
      return "f16";
    case kernels::DenseType::kBf16:
      return "bf16";
    case kernels::DenseType::kQ8_0:
      return "q8_0";
    case kernels::DenseType::kInt8x16:
      return "q6_k";
  }
  return "?";
}

// "ternary", "f16", ...
std::string TypePhrase(const Linear& linear) {
  return linear.is_ternary ? "ternary" : DenseTypeName(linear.dense.type);
}

// "ternary weights (a scale for each row), activations int8 per token"
std::string WeightsPhrase(const Linear& linear, InputType input_type) {
  std::string text = TypePhrase(linear) + " weights";
  if (linear.is_ternary) {
    switch (linear.ternary.group) {
      case packing::ScaleGroup::kMatrix:
        break;
      case packing::ScaleGroup::kRow:
        text += " (a scale for each row)";
        break;
      case packing::ScaleGroup::kBlock:
        text += " (a scale for " + std::to_string(linear.ternary.block) +
                " columns)";
        break;
    }
  }
  return text + (linear.is_ternary && input_type == InputType::kInt8
                     ? ", activations int8 per token"
                     : ", activations not quantised");
}

// Virtual machines can say that the CPU has instructions which compute wrongly
// or not as promised: takes the best target that gives right sums.  Tested once
// for each target in use (7 ms).
void UseWorkingTarget() {
  static std::mutex mutex;
  static std::string tested;
  const std::lock_guard lock(mutex);
  if (kernels::ActiveTarget() == tested) return;
  if (kernels::SelfTest()) {
    tested = kernels::ActiveTarget();
    return;
  }
  const std::string wrong = kernels::ActiveTarget();
  for (const std::string& name : kernels::SupportedTargets()) {
    if (kernels::ForceTarget(name) && kernels::SelfTest()) return;
  }
  throw Error(ErrorCode::kUnsupported,
              "target " + wrong +
                  ": its sums are wrong on this CPU, and so "
                  "are those of all others; the machine cannot be trusted");
}

// What may go well the next time is no property of the model, and must not turn
// it into one without a tokenizer.
bool MayPass(const Error& error) {
  return error.code() == ErrorCode::kIo ||
         error.code() == ErrorCode::kOutOfMemory;
}

}  // namespace

Model::Model() = default;
Model::~Model() = default;

std::shared_ptr<const Model> Model::Load(const std::filesystem::path& path,
                                         const LoadOptions& options) {
  return NamingOutOfMemory(path, [&]() -> std::shared_ptr<const Model> {
    UseWorkingTarget();
    if (options.verify) RequireChecksums(path, options.num_threads);
    const Checkpoint from = checkpoint::Open(
        path,
        {.input_type = options.input_type, .i2s_layout = options.i2s_layout});
    std::shared_ptr<Model> model(new Model());
    model->config_ = from.config;
    model->format_ = from.format;
    try {
      model->tokenizer_ = std::make_unique<const Tokenizer>(
          LoadTokenizer(path, from.config.vocab_size));
    } catch (const Error& error) {
      if (MayPass(error)) throw;
      model->tokenizer_error_ = error;
    }
    model->weights_ = LoadWeights(from, options);
    return model;
  });
}

std::shared_ptr<const Model> Model::FromWeights(
    const ModelConfig& config, std::unique_ptr<const Weights> weights,
    const std::string& origin) {
  UseWorkingTarget();
  std::shared_ptr<Model> model(new Model());
  model->config_ = config;
  model->format_ = origin;
  model->tokenizer_error_ = Error(
      ErrorCode::kNotFound, origin + ": has no tokenizer; feed it token ids");
  model->weights_ = std::move(weights);
  return model;
}

const Tokenizer& Model::tokenizer() const {
  if (tokenizer_ == nullptr) throw Error(*tokenizer_error_);
  return *tokenizer_;
}

std::uint64_t Model::weights_bytes() const {
  std::uint64_t bytes = LayerBytes(*weights_) + weights_->embedding.bytes() +
                        weights_->head.bytes();
  if (weights_->int8_head.rows != 0) bytes += weights_->int8_head.bytes();
  if (weights_->screen.rows != 0) bytes += weights_->screen.bytes();
  return bytes;
}

std::uint64_t Model::mapped_bytes() const { return weights_->mapped_bytes; }

std::uint64_t Model::bytes_per_token() const {
  const Linear& embedding = weights_->embedding;
  return LayerBytes(*weights_) + head_bytes_per_token() +
         embedding.bytes() / embedding.rows;
}

std::uint64_t Model::head_bytes_per_token() const {
  if (weights_->int8_head.rows != 0) return weights_->int8_head.bytes();
  if (weights_->screen.rows != 0) {
    return ScreenRows::FirstBytes(weights_->screen.rows, weights_->screen.cols);
  }
  return weights_->Head().bytes();
}

std::uint64_t Model::layers_bytes() const { return LayerBytes(*weights_); }

std::uint64_t Model::fingerprint() const {
  // Two threads at once do the work twice, and find the same.  (No call_once: a
  // child whose parent was in it at fork() would wait for ever.)
  std::uint64_t value = fingerprint_.load(std::memory_order_relaxed);
  if (value == 0) {
    value = Fingerprint(config_, *weights_);
    fingerprint_.store(value, std::memory_order_relaxed);
  }
  return value;
}

std::string Model::linear_type() const {
  return TypePhrase(weights_->layers.front().q);
}

std::string Model::Describe() const {
  std::string text =
      format_ + ": " + config_.architecture + ", " +
      std::to_string(config_.num_layers) + " layers of " +
      std::to_string(config_.hidden_size) + ", " +
      (config_.activation == Activation::kSquaredRelu ? "squared ReLU"
                                                      : "SiLU");
  text += "; " + WeightsPhrase(weights_->layers.front().q, config_.input_type);
  text += "; " + TypePhrase(weights_->Head()) +
          (config_.tied_head ? " tied head" : " head");
  if (weights_->int8_head.rows != 0) text += " as q8";
  if (weights_->screen.rows != 0) text += ", screened";
  if (mapped_bytes() != 0) {
    text += "; " + std::to_string(100 * mapped_bytes() / weights_bytes()) +
            " % mapped";
  }
  text += has_tokenizer() ? "; " + tokenizer_->description() : "; no tokenizer";
  return text;
}

}  // namespace tern
