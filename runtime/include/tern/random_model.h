// Models of random weights, made in memory: to measure how fast a shape runs
// where no file of it is at hand.  What such a model says means nothing; how
// long it takes does, because no ternary or dense kernel looks at the values.
//
//   const auto model = tern::MakeRandomModel(tern::RandomShape("bitnet-3b"));
//
// Ternary codes are -1, 0 and +1 with equal chances, under one scale a matrix;
// embedding, head and dense layers are normally distributed, in f16.  Scales
// are such that every layer's outputs have about unit variance, so that the
// residual stream of 80 layers stays within single digits.  The same seed gives
// the same weights on any number of threads.  Any thread may call these
// functions.
#ifndef TERN_RANDOM_MODEL_H_
#define TERN_RANDOM_MODEL_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <tern/api.h>
#include <tern/model.h>

namespace tern {

// Of the linear layers; embedding and head are f16 either way.
enum class WeightFormat { kTernary, kF16 };

struct RandomModelOptions {
  WeightFormat format = WeightFormat::kTernary;
  HeadForm head = HeadForm::kAuto;
  std::uint64_t seed = 1;
  // 0: as many as the process may use.
  int num_threads = 0;
  // Called now and then from the calling thread with a fraction in 0..1.
  std::function<void(double fraction)> progress = nullptr;
};

// The names of the known shapes, smallest first.
//
// bitnet-700m, bitnet-1.3b, bitnet-3b, bitnet-3.9b: the models of the b1.58
// paper (arXiv 2402.17764), architecture bitnet (SiLU, sub-norms).
// bitnet-2b4t: arXiv 2504.12285, architecture bitnet-b1.58 (squared ReLU,
// sub-norms).
// llama3-8b, falcon3-10b: Llama3-8B-1.58 and Falcon3-10B-1.58, architecture
// llama.
// 13b, 70b: the paper's larger models, of which it publishes latency and memory
// but no configuration; architecture llama.  70b is Llama 2's; so are the
// layers of 13b, but with the vocabulary (32002) and the tied head of the
// paper's smaller models.
TERN_API std::vector<std::string> RandomShapeNames();

// The configuration of a known shape.  Random weights were trained for no
// length: max_context is 131072.  Throws Error (kInvalidArgument) for another
// name.
TERN_API ModelConfig RandomShape(const std::string& name);

// Bytes of weights of such a model.
TERN_API std::uint64_t RandomModelBytes(const ModelConfig& config,
                                        WeightFormat format);

// A model of that shape, without a tokenizer.  Throws Error: kOutOfMemory
// before any work if it would not fit into what the machine has free,
// kUnsupported for sizes that make no model.
TERN_API std::shared_ptr<const Model> MakeRandomModel(
    const ModelConfig& config, const RandomModelOptions& options = {});

}  // namespace tern

#endif  // TERN_RANDOM_MODEL_H_
