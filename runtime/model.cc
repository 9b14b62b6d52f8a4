#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <tern/cpu.h>
#include <tern/error.h>
#include <tern/model.h>

#include "packing/tiles.h"
#include "runtime/checkpoint/checkpoint.h"
#include "runtime/files/finite.h"
#include "runtime/memory.h"
#include "runtime/parallel.h"
#include "runtime/threads.h"
#include "runtime/weights.h"
#include "ternary_kernels/targets.h"

namespace tern {
namespace {

using checkpoint::Checkpoint;
using checkpoint::LayerSource;
using checkpoint::LinearKind;
using checkpoint::LinearSource;
using files::StoredTensor;
using files::StoredType;

kernels::DenseType ToDenseType(const StoredTensor& tensor) {
  switch (tensor.type) {
    case StoredType::kF32:
      return kernels::DenseType::kF32;
    case StoredType::kF16:
      return kernels::DenseType::kF16;
    case StoredType::kBf16:
      return kernels::DenseType::kBf16;
    case StoredType::kQ8_0:
      return kernels::DenseType::kQ8_0;
    default:
      throw Error(ErrorCode::kUnsupported,
                  tensor.Place() + ": type " + tensor.type_name +
                      " is not a float type that tern computes with; convert "
                      "the tensor to F32, F16, BF16 or Q8_0");
  }
}

// Nothing but zeros where no trained model has them: a hole in the file, such
// as a download leaves that was cut short.
[[noreturn]] void ThrowHole(const StoredTensor& tensor) {
  throw Error(ErrorCode::kMalformed,
              tensor.Place() +
                  ": holds nothing but zeros; the file has a "
                  "hole, get it again");
}

DenseMatrix LoadDense(const StoredTensor& tensor) {
  DenseMatrix matrix;
  matrix.type = ToDenseType(tensor);
  matrix.rows = tensor.shape[0];
  matrix.cols = tensor.shape[1];
  matrix.data = AlignedBuffer<std::uint8_t>(tensor.bytes, Pages::kHuge);
  const std::span<std::uint8_t> bytes(matrix.data.data(), matrix.data.size());
  tensor.file->Read(tensor.offset, bytes);
  files::RequireFinite(tensor, 0, bytes);
  if (std::all_of(bytes.begin(), bytes.end(),
                  [](std::uint8_t byte) { return byte == 0; })) {
    ThrowHole(tensor);
  }
  return matrix;
}

std::vector<float> LoadNorm(const StoredTensor& tensor) {
  std::vector<float> weight(tensor.ElementCount());
  files::ReadFloats(tensor, 0, 1, weight.data());
  if (std::all_of(weight.begin(), weight.end(),
                  [](float w) { return w == 0; })) {
    ThrowHole(tensor);
  }
  return weight;
}

TernaryWeights LoadTernary(const LinearSource& source) {
  const packing::TernaryMatrix matrix = checkpoint::ReadLinear(source);
  TernaryWeights weights;
  weights.tiles = AlignedBuffer<std::uint8_t>(
      packing::TilesBytes(matrix.rows, matrix.cols), Pages::kHuge);
  packing::FillTiles(matrix, 0, matrix.rows, weights.tiles.data());
  weights.group = matrix.group;
  weights.block = matrix.block;
  weights.scales = matrix.scales;
  return weights;
}

Linear LoadLinear(const LinearSource& source) {
  Linear linear;
  linear.rows = source.rows;
  linear.cols = source.cols;
  linear.is_ternary = source.kind != LinearKind::kDense;
  if (linear.is_ternary) {
    linear.ternary = LoadTernary(source);
  } else {
    linear.dense = LoadDense(source.weight);
  }
  return linear;
}

// Something to load: where from and where to.
struct LinearJob {
  const LinearSource* source;
  Linear* target;
};

std::vector<LinearJob> LinearJobs(const Checkpoint& from, Weights& to) {
  std::vector<LinearJob> jobs;
  for (std::size_t i = 0; i < from.layers.size(); ++i) {
    const LayerSource& s = from.layers[i];
    LayerWeights& w = to.layers[i];
    for (const LinearJob& job :
         std::initializer_list<LinearJob>{{&s.q, &w.q},
                                          {&s.k, &w.k},
                                          {&s.v, &w.v},
                                          {&s.o, &w.o},
                                          {&s.gate, &w.gate},
                                          {&s.up, &w.up},
                                          {&s.down, &w.down}}) {
      jobs.push_back(job);
    }
  }
  return jobs;
}

// What a thread needs beside the result while it loads one matrix: the stored
// bytes and codes, or floats to be ternarised and codes.
std::uint64_t LoadingBytes(const LinearSource& source) {
  const std::uint64_t weights = std::uint64_t{source.rows} * source.cols;
  switch (source.kind) {
    case LinearKind::kTernary:
      return source.weight.bytes + weights / 4;
    case LinearKind::kMaster:
      return weights * sizeof(float) + weights / 4;
    case LinearKind::kDense:
      return 0;
  }
  return 0;
}

std::uint64_t LinearBytes(const LinearSource& source) {
  return source.kind == LinearKind::kDense
             ? source.weight.bytes
             : packing::TilesBytes(source.rows, source.cols);
}

// Loads the matrices on all threads, one at a time each: so the working memory
// is a matrix a thread.  The first Error wins.
void LoadLinears(const std::vector<LinearJob>& jobs, const LoadOptions& options,
                 int num_threads) {
  std::mutex mutex;
  std::exception_ptr error;
  std::atomic<bool> failed = false;
  std::atomic<std::size_t> done = 0;
  ParallelForEach(num_threads, jobs.size(), [&](std::size_t i, std::size_t t) {
    if (failed) return;
    try {
      *jobs[i].target = LoadLinear(*jobs[i].source);
      ++done;
      if (t == 0 && options.progress) {
        options.progress(static_cast<double>(done) /
                         static_cast<double>(jobs.size()));
      }
    } catch (...) {
      const std::lock_guard<std::mutex> lock(mutex);
      if (!error) error = std::current_exception();
      failed = true;
    }
  });
  if (error) std::rethrow_exception(error);
}

void LoadNorms(const Checkpoint& from, Weights& to) {
  to.output_norm = LoadNorm(from.output_norm);
  for (std::size_t i = 0; i < from.layers.size(); ++i) {
    to.layers[i].attn_norm = LoadNorm(from.layers[i].attn_norm);
    to.layers[i].attn_sub_norm = LoadNorm(from.layers[i].attn_sub_norm);
    to.layers[i].ffn_norm = LoadNorm(from.layers[i].ffn_norm);
    to.layers[i].ffn_sub_norm = LoadNorm(from.layers[i].ffn_sub_norm);
  }
}

std::unique_ptr<const Weights> LoadWeights(const Checkpoint& from,
                                           const LoadOptions& options) {
  auto to = std::make_unique<Weights>();
  to->layers.resize(from.layers.size());
  const std::vector<LinearJob> jobs = LinearJobs(from, *to);
  std::uint64_t bytes =
      from.embedding.bytes + (from.head ? from.head->bytes : 0);
  std::uint64_t loading = 0;
  for (const LinearJob& job : jobs) {
    bytes += LinearBytes(*job.source);
    loading = std::max(loading, LoadingBytes(*job.source));
  }
  const int num_threads =
      options.num_threads > 0 ? options.num_threads : UsableCores();
  RequireThreads(num_threads);
  bytes += loading * static_cast<std::uint64_t>(num_threads);
  RequireMemory(bytes, from.path.string(),
                "use a smaller model or a machine with more memory");
  LoadNorms(from, *to);
  to->embedding = LoadDense(from.embedding);
  if (from.head) to->head = LoadDense(*from.head);
  LoadLinears(jobs, options, num_threads);
  return to;
}

// Bytes of the norms and of all linear layers.
std::uint64_t LayerBytes(const Weights& weights) {
  std::uint64_t bytes = weights.output_norm.size() * sizeof(float);
  for (const LayerWeights& w : weights.layers) {
    bytes += (w.attn_norm.size() + w.attn_sub_norm.size() + w.ffn_norm.size() +
              w.ffn_sub_norm.size()) *
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
  }
  return "?";
}

// Virtual machines can say that the CPU has instructions which compute wrongly
// or not as promised: takes the best target that gives right sums (7 ms).
void UseWorkingTarget() {
  if (kernels::SelfTest()) return;
  const std::string wrong = kernels::ActiveTarget();
  for (const std::string& name : kernels::SupportedTargets()) {
    if (kernels::ForceTarget(name) && kernels::SelfTest()) return;
  }
  throw Error(ErrorCode::kUnsupported,
              "target " + wrong +
                  ": its sums are wrong on this CPU, and so "
                  "are those of all others; the machine cannot be trusted");
}

}  // namespace

Model::Model() = default;
Model::~Model() = default;

std::shared_ptr<const Model> Model::Load(const std::filesystem::path& path,
                                         const LoadOptions& options) {
  UseWorkingTarget();
  const Checkpoint from = checkpoint::Open(path);
  std::shared_ptr<Model> model(new Model());
  model->config_ = from.config;
  model->format_ = from.format;
  try {
    auto tokenizer = std::make_unique<Tokenizer>(Tokenizer::Load(path));
    if (tokenizer->vocab_size() > from.config.vocab_size) {
      throw Error(ErrorCode::kMalformed,
                  path.string() + ": the tokenizer has " +
                      std::to_string(tokenizer->vocab_size()) +
                      " tokens, the model only " +
                      std::to_string(from.config.vocab_size) +
                      "; they do not belong together");
    }
    model->tokenizer_ = std::move(tokenizer);
  } catch (const Error& error) {
    model->tokenizer_error_ = error;
  }
  model->weights_ = LoadWeights(from, options);
  return model;
}

const Tokenizer& Model::tokenizer() const {
  if (tokenizer_ == nullptr) throw Error(*tokenizer_error_);
  return *tokenizer_;
}

std::uint64_t Model::weights_bytes() const {
  return LayerBytes(*weights_) + weights_->embedding.data.bytes() +
         weights_->head.data.bytes();
}

std::uint64_t Model::bytes_per_token() const {
  return LayerBytes(*weights_) + weights_->Head().data.bytes() +
         kernels::DenseRowBytes(weights_->embedding.type,
                                weights_->embedding.cols);
}

std::string Model::Describe() const {
  const Linear& first = weights_->layers.front().q;
  const DenseMatrix& head = weights_->Head();
  std::string text = format_ + ": " + config_.architecture + ", " +
                     std::to_string(config_.num_layers) + " layers of " +
                     std::to_string(config_.hidden_size) + ", squared ReLU";
  text += first.is_ternary
              ? "; ternary weights, activations int8 per token"
              : std::string("; ") + DenseTypeName(first.dense.type) +
                    " weights, activations not quantised";
  text += std::string("; ") + DenseTypeName(head.type) +
          (config_.tied_head ? " tied head" : " head");
  text += has_tokenizer() ? "; " + tokenizer_->description() : "; no tokenizer";
  return text;
}

}  // namespace tern
