// The shapes that the field's speed figures are about.
#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include <tern/error.h>
#include <tern/random_model.h>

#include "runtime/checkpoint/architectures.h"

namespace tern {
namespace {

struct Shape {
  const char* name;
  const char* architecture;
  std::size_t hidden;
  std::size_t layers;
  std::size_t ffn;
  std::size_t heads;
  std::size_t kv_heads;
  std::size_t head_dim;
  std::size_t vocab;
  bool tied;
  float rope_theta;
};

// Sizes as published with the models, or, for those of the paper that were not,
// as bitnet.cpp's generator of dummy models has them.  70b is Llama 2's (arXiv
// 2307.09288); so are the layers of 13b, which has the vocabulary and the tied
// head of the paper's models (Llama 2's: 32000, untied).
constexpr std::array kShapes = {
    Shape{"bitnet-700m", "bitnet", 1536, 24, 4096, 16, 16, 96, 32002, true,
          10000},
    Shape{"bitnet-1.3b", "bitnet", 2048, 24, 5460, 32, 32, 64, 32002, true,
          10000},
    Shape{"bitnet-2b4t", "bitnet-b1.58", 2560, 30, 6912, 20, 5, 128, 128256,
          true, 500000},
    Shape{"bitnet-3b", "bitnet", 3200, 26, 8640, 32, 32, 100, 32002, true,
          10000},
    Shape{"bitnet-3.9b", "bitnet", 3840, 24, 8192, 32, 32, 120, 32002, true,
          10000},
    Shape{"llama3-8b", "llama", 4096, 32, 14336, 32, 8, 128, 128256, false,
          500000},
    Shape{"falcon3-10b", "llama", 3072, 40, 23040, 12, 4, 256, 131072, false,
          1000042},
    Shape{"13b", "llama", 5120, 40, 13824, 40, 40, 128, 32002, true, 10000},
    Shape{"70b", "llama", 8192, 80, 28672, 64, 8, 128, 32000, false, 10000},
};

constexpr std::size_t kMaxContext = 131072;

}  // namespace

std::vector<std::string> RandomShapeNames() {
  std::vector<std::string> names;
  names.reserve(kShapes.size());
  for (const Shape& shape : kShapes) names.emplace_back(shape.name);
  return names;
}

ModelConfig RandomShape(const std::string& name) {
  const auto* shape =
      std::find_if(kShapes.begin(), kShapes.end(),
                   [&](const Shape& known) { return name == known.name; });
  if (shape == kShapes.end()) {
    std::string names;
    for (const Shape& known : kShapes) {
      names += (names.empty() ? "" : ", ") + std::string(known.name);
    }
    throw Error(ErrorCode::kInvalidArgument,
                "shape '" + name + "': not known; use one of " + names);
  }
  ModelConfig config =
      checkpoint::ConfigOf(*checkpoint::FindArchitecture(shape->architecture));
  config.name = shape->name;
  config.hidden_size = shape->hidden;
  config.num_layers = shape->layers;
  config.ffn_size = shape->ffn;
  config.num_heads = shape->heads;
  config.num_kv_heads = shape->kv_heads;
  config.head_dim = shape->head_dim;
  config.vocab_size = shape->vocab;
  config.tied_head = shape->tied;
  config.max_context = kMaxContext;
  config.rope_theta = shape->rope_theta;
  config.norm_eps = 1e-5F;
  return config;
}

}  // namespace tern
