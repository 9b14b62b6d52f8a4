#include "runtime/load_weights.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <tern/cpu.h>
#include <tern/error.h>

#include "packing/fault.h"
#include "packing/q4_0.h"
#include "packing/q6_k.h"
#include "packing/tiles.h"
#include "runtime/files/finite.h"
#include "runtime/head/head.h"
#include "runtime/memory.h"
#include "runtime/parallel.h"

namespace tern {
namespace {

using checkpoint::Checkpoint;
using checkpoint::LayerSource;
using checkpoint::LinearKind;
using checkpoint::LinearSource;
using files::StoredTensor;
using files::StoredType;

// Nothing but zeros where no trained model has them: a hole in the file, such
// as a download leaves that was cut short.
[[noreturn]] void ThrowHole(const StoredTensor& tensor) {
  throw Error(ErrorCode::kMalformed,
              tensor.Place() +
                  ": holds nothing but zeros; the file has a "
                  "hole, get it again");
}

// What the kernels compute with, and how a row of it is made from a stored one.
struct DenseForm {
  kernels::DenseType type;
  // Null: as it is stored.
  packing::MaybeFault (*convert)(std::span<const std::uint8_t> stored,
                                 std::size_t cols,
                                 std::span<std::uint8_t> row) = nullptr;
};

DenseForm FormOf(const StoredTensor& tensor) {
  switch (tensor.type) {
    case StoredType::kF32:
      return {kernels::DenseType::kF32};
    case StoredType::kF16:
      return {kernels::DenseType::kF16};
    case StoredType::kBf16:
      return {kernels::DenseType::kBf16};
    case StoredType::kQ8_0:
      return {kernels::DenseType::kQ8_0};
    case StoredType::kQ4_0:
      return {kernels::DenseType::kQ8_0, packing::Q4ToQ8};
    case StoredType::kQ6K:
      return {kernels::DenseType::kInt8x16, packing::Q6ToInt8x16};
    default:
      throw Error(ErrorCode::kUnsupported,
                  tensor.Place() + ": type " + tensor.type_name +
                      " is not a float type that tern computes with; convert "
                      "the tensor to F32, F16, BF16 or Q8_0");
  }
}

bool AllZero(std::span<const std::uint8_t> bytes) {
  return std::all_of(bytes.begin(), bytes.end(),
                     [](std::uint8_t byte) { return byte == 0; });
}

// Row by row through the form's conversion; no such type has rotary rows.
void ReadConverted(const LinearSource& source, const DenseForm& form,
                   DenseMatrix& matrix) {
  const StoredTensor& tensor = source.weight;
  const std::size_t stored_bytes = tensor.bytes / source.rows;
  const std::size_t row_bytes = matrix.data.size() / source.rows;
  std::vector<std::uint8_t> stored(stored_bytes);
  bool all_zero = true;
  for (std::size_t row = 0; row < source.rows; ++row) {
    tensor.file->Read(tensor.offset + row * stored_bytes, stored);
    files::RequireFinite(tensor, row * stored_bytes, stored);
    all_zero = all_zero && AllZero(stored);
    const packing::MaybeFault fault = form.convert(
        stored, source.cols, {matrix.data.data() + row * row_bytes, row_bytes});
    if (fault) {
      throw Error(ErrorCode::kMalformed,
                  tensor.Place() + ": row " + std::to_string(row) + ": " +
                      fault->what + "; the file is damaged, fetch it again");
    }
  }
  if (all_zero) ThrowHole(tensor);
}

DenseMatrix LoadDense(const LinearSource& source, WeightBytes place) {
  const DenseForm form = FormOf(source.weight);
  DenseMatrix matrix;
  matrix.type = form.type;
  matrix.rows = source.rows;
  matrix.cols = source.cols;
  matrix.data = std::move(place);
  if (form.convert != nullptr) {
    ReadConverted(source, form, matrix);
    return matrix;
  }
  if (matrix.data.is_mapped()) {
    files::RequireFinite(source.weight, 0, matrix.data.bytes());
  } else {
    checkpoint::ReadDense(source, 0, source.rows,
                          {matrix.data.data(), matrix.data.size()});
  }
  if (AllZero(matrix.data.bytes())) ThrowHole(source.weight);
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

TernaryWeights LoadTiles(const LinearSource& source, WeightBytes place) {
  packing::T2Scales scales = checkpoint::ReadMultipliers(source);
  TernaryWeights weights;
  weights.tiles = std::move(place);
  if (weights.tiles.is_mapped()) {
    checkpoint::CheckTiles(source, scales, weights.tiles.bytes());
  } else {
    checkpoint::ReadTiles(source, scales,
                          {weights.tiles.data(), weights.tiles.size()});
  }
  weights.group = scales.group;
  weights.block = scales.block;
  weights.scales = std::move(scales.scales);
  return weights;
}

TernaryWeights LoadTernary(const LinearSource& source, WeightBytes place) {
  if (source.weight.type == StoredType::kT2) {
    return LoadTiles(source, std::move(place));
  }
  packing::TernaryMatrix matrix = checkpoint::ReadLinear(source);
  TernaryWeights weights;
  weights.tiles = std::move(place);
  packing::FillTiles(matrix, 0, matrix.rows, weights.tiles.data());
  weights.group = matrix.group;
  weights.block = matrix.block;
  weights.scales = std::move(matrix.scales);
  return weights;
}

// `place` has the LinearBytes of the source.
Linear LoadLinear(const LinearSource& source, WeightBytes place) {
  Linear linear;
  linear.rows = source.rows;
  linear.cols = source.cols;
  linear.is_ternary = source.kind != LinearKind::kDense;
  if (linear.is_ternary) {
    linear.ternary = LoadTernary(source, std::move(place));
  } else {
    linear.dense = LoadDense(source, std::move(place));
  }
  if (source.input_norm) linear.input_norm = LoadNorm(*source.input_norm);
  return linear;
}

// Something to load: where from, where to, and the memory for it.
struct LinearJob {
  const LinearSource* source;
  Linear* target;
  WeightBytes place;
};

std::vector<LinearJob> LinearJobs(const Checkpoint& from, Weights& to) {
  std::vector<LinearJob> jobs;
  const auto add = [&](const LinearSource& source, Linear& target) {
    jobs.push_back({&source, &target, {}});
  };
  add(from.embedding, to.embedding);
  if (from.head) add(*from.head, to.head);
  for (std::size_t i = 0; i < from.layers.size(); ++i) {
    const LayerSource& s = from.layers[i];
    LayerWeights& w = to.layers[i];
    add(s.q, w.q);
    add(s.k, w.k);
    add(s.v, w.v);
    add(s.o, w.o);
    add(s.gate, w.gate);
    add(s.up, w.up);
    add(s.down, w.down);
  }
  return jobs;
}

// What a thread needs beside the result while it loads one matrix: the stored
// bytes and codes, or floats to be ternarised and codes.
std::uint64_t LoadingBytes(const LinearSource& source) {
  if (source.weight.type == StoredType::kT2) return 0;
  if (source.kind != LinearKind::kDense) {
    return checkpoint::ReadLinearBytes(source);
  }
  // Rows that are put into another order are copied.
  return source.interleaved_heads != 0 ? source.weight.bytes : 0;
}

std::uint64_t LinearBytes(const LinearSource& source) {
  return source.kind == LinearKind::kDense
             ? DenseBytes(source)
             : packing::TilesBytes(source.rows, source.cols);
}

// True if the kernels can read the bytes where they lie in the file.
bool IsMappable(const LinearSource& source) {
  const std::uint64_t offset = source.weight.offset;
  if (source.kind != LinearKind::kDense) {
    return source.weight.type == StoredType::kT2 && offset % kCacheLine == 0;
  }
  return FormOf(source.weight).convert == nullptr &&
         source.interleaved_heads == 0 && offset % sizeof(float) == 0;
}

// Gives the jobs that need no memory of their own their places.
void MapFiles(const Checkpoint& from, std::vector<LinearJob>& jobs,
              Weights& to) {
  std::map<const files::InputFile*, std::size_t> known;  // in to.files
  for (LinearJob& job : jobs) {
    if (!IsMappable(*job.source)) continue;
    const StoredTensor& tensor = job.source->weight;
    const auto [entry, is_new] =
        known.emplace(tensor.file.get(), to.files.size());
    if (is_new) to.files.emplace_back(*tensor.file);
    job.place = WeightBytes::Mapped(
        to.files[entry->second].bytes().subspan(tensor.offset, tensor.bytes));
  }
  if (!to.files.empty()) return;
  throw Error(ErrorCode::kUnsupported,
              from.path.string() +
                  ": nothing can be mapped, because its weights (" +
                  from.layers.front().q.weight.type_name +
                  ") are brought into another form; pack it as t2, or load it "
                  "without mapping");
}

std::uint64_t MappedBytes(const Linear& linear) {
  const WeightBytes& bytes =
      linear.is_ternary ? linear.ternary.tiles : linear.dense.data;
  return bytes.is_mapped() ? bytes.size() : 0;
}

// Memory for all jobs that are not mapped: one block for the layers, and each
// its own for embedding and head, because MakeHead may give one of them up.
void Reserve(std::vector<LinearJob>& jobs, Weights& to) {
  const auto is_shared = [&](const LinearJob& job) {
    return job.target != &to.embedding && job.target != &to.head;
  };
  std::size_t size = 0;
  for (const LinearJob& job : jobs) {
    if (is_shared(job) && !job.place.is_mapped()) {
      size += WeightArena::PieceBytes(LinearBytes(*job.source));
    }
  }
  to.arena = WeightArena(size);
  for (LinearJob& job : jobs) {
    if (job.place.is_mapped()) continue;
    const std::size_t bytes = LinearBytes(*job.source);
    job.place = is_shared(job) ? to.arena.Take(bytes) : WeightBytes(bytes);
  }
}

// Loads the matrices on all threads, one at a time each: so the working memory
// is a matrix a thread.  The first Error wins.
void LoadLinears(std::vector<LinearJob>& jobs, const LoadOptions& options,
                 Team& team) {
  std::mutex mutex;
  std::exception_ptr error;
  std::atomic<bool> failed = false;
  std::atomic<std::size_t> done = 0;
  ParallelForEach(team, jobs.size(), [&](std::size_t i, std::size_t t) {
    if (failed) return;
    try {
      LinearJob& job = jobs[i];
      *job.target = LoadLinear(*job.source, std::move(job.place));
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
  const auto load = [](const std::optional<StoredTensor>& tensor) {
    return tensor ? LoadNorm(*tensor) : std::vector<float>();
  };
  to.output_norm = LoadNorm(from.output_norm);
  for (std::size_t i = 0; i < from.layers.size(); ++i) {
    const LayerSource& source = from.layers[i];
    LayerWeights& layer = to.layers[i];
    layer.attn_norm = LoadNorm(source.attn_norm);
    layer.q_norm = load(source.q_norm);
    layer.k_norm = load(source.k_norm);
    layer.attn_sub_norm = load(source.attn_sub_norm);
    layer.ffn_norm = LoadNorm(source.ffn_norm);
    layer.ffn_sub_norm = load(source.ffn_sub_norm);
  }
}

HeadForm FormOfHead(const LinearSource& head, HeadForm asked) {
  const bool is_ternary = head.kind != LinearKind::kDense;
  return ResolveHead(
      asked, is_ternary,
      is_ternary ? kernels::DenseType::kF32 : FormOf(head.weight).type,
      head.weight.Place());
}

}  // namespace

std::uint64_t DenseBytes(const LinearSource& source) {
  return source.rows *
         kernels::DenseRowBytes(FormOf(source.weight).type, source.cols);
}

void CheckLinear(const LinearSource& source) {
  const std::uint64_t bytes = LinearBytes(source);
  RequireMemory(bytes + LoadingBytes(source), source.weight.Place(),
                "free some memory");
  (void)LoadLinear(source, WeightBytes(bytes));
}

void CheckNorm(const StoredTensor& tensor) { (void)LoadNorm(tensor); }

std::unique_ptr<const Weights> LoadWeights(const Checkpoint& from,
                                           const LoadOptions& options) {
  auto to = std::make_unique<Weights>();
  to->layers.resize(from.layers.size());
  std::vector<LinearJob> jobs = LinearJobs(from, *to);
  const LinearSource& head = from.head ? *from.head : from.embedding;
  const HeadForm head_form = FormOfHead(head, options.head);
  std::uint64_t bytes = HeadFormBytes(head_form, head.rows, head.cols);
  std::uint64_t loading = 0;
  if (options.map) MapFiles(from, jobs, *to);
  for (const LinearJob& job : jobs) {
    if (job.place.is_mapped()) continue;
    bytes += LinearBytes(*job.source);
    loading = std::max(loading, LoadingBytes(*job.source));
  }
  const int num_threads =
      options.num_threads > 0 ? options.num_threads : UsableCores();
  bytes += loading * static_cast<std::uint64_t>(num_threads);
  RequireMemory(bytes, from.path.string(),
                "use a smaller model or a machine with more memory");
  LoadNorms(from, *to);
  Reserve(jobs, *to);
  Team team(num_threads);
  LoadLinears(jobs, options, team);
  MakeHead(head_form, *to, team);
  // Only now: the head may have been given up for another form of it.
  for (const LinearJob& job : jobs) {
    to->mapped_bytes += MappedBytes(*job.target);
  }
  return to;
}

}  // namespace tern
