#include "runtime/checkpoint/config_limits.h"

#include <cmath>

#include <tern/error.h>

namespace tern::checkpoint {
namespace {

// Inputs of a matrix: with int8 activations a sum of kMaxWidth products of at
// most 2 * 128 stays below 2^31.  Published models have at most 23,040.
constexpr std::size_t kMaxWidth = std::size_t{1} << 22;
constexpr std::size_t kMaxVocab = std::size_t{1} << 24;
constexpr std::size_t kMaxLayers = 4096;
constexpr std::size_t kMaxContext = std::size_t{1} << 28;

[[noreturn]] void Unusable(const std::string& place, const std::string& what) {
  throw Error(ErrorCode::kUnsupported,
              place + ": " + what + "; the file is damaged or made by mistake");
}

void CheckSize(const std::string& place, const char* name, std::size_t value,
               std::size_t max) {
  if (value == 0 || value > max) {
    Unusable(place, std::string(name) + " is " + std::to_string(value) +
                        ", which is not within 1 to " + std::to_string(max));
  }
}

void CheckPositive(const std::string& place, const char* name, float value) {
  if (!std::isfinite(value) || value <= 0) {
    Unusable(place, std::string(name) + " is " + std::to_string(value) +
                        ", which is not a positive number");
  }
}

}  // namespace

void CheckSizes(const ModelConfig& config, const std::string& place) {
  CheckSize(place, "the hidden size", config.hidden_size, kMaxWidth);
  CheckSize(place, "the number of layers", config.num_layers, kMaxLayers);
  CheckSize(place, "the feed-forward size", config.ffn_size, kMaxWidth);
  CheckSize(place, "the vocabulary size", config.vocab_size, kMaxVocab);
  CheckSize(place, "the context length", config.max_context, kMaxContext);
  CheckSize(place, "the number of heads", config.num_heads, kMaxWidth);
  CheckSize(place, "the head size", config.head_dim, kMaxWidth);
  CheckSize(place, "the width of all heads", config.num_heads * config.head_dim,
            kMaxWidth);
  CheckSize(place, "the number of key/value heads", config.num_kv_heads,
            config.num_heads);
  if (config.num_heads % config.num_kv_heads != 0) {
    Unusable(place, std::to_string(config.num_heads) + " heads cannot share " +
                        std::to_string(config.num_kv_heads) +
                        " key/value heads evenly");
  }
  if (config.head_dim % 2 != 0) {
    Unusable(place, "the head size is " + std::to_string(config.head_dim) +
                        ", but rotary positions need an even one");
  }
}

void CheckConfig(const ModelConfig& config, const std::string& place) {
  CheckSizes(config, place);
  CheckPositive(place, "the epsilon of the norms", config.norm_eps);
  if (config.projection_norms) {
    CheckPositive(place, "the epsilon of the projections' norms",
                  config.projection_norm_eps);
  }
  CheckPositive(place, "the rotary base", config.rope_theta);
  CheckPositive(place, "the magnitude of the rotary positions",
                config.rope_magnitude);
  for (const float frequency : config.rope_frequencies) {
    CheckPositive(place, "a rotary frequency", frequency);
  }
}

std::size_t DefaultHeadDim(std::size_t hidden, std::size_t heads,
                           const std::string& place) {
  if (heads == 0 || hidden % heads != 0) {
    Unusable(place, "a hidden size of " + std::to_string(hidden) +
                        " is not divisible by " + std::to_string(heads) +
                        " heads");
  }
  return hidden / heads;
}

}  // namespace tern::checkpoint
