#include "runtime/load_weights.h"

#include <algorithm>
#include <atomic>
#include <exception>
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

DenseMatrix LoadDense(const LinearSource& source) {
  const DenseForm form = FormOf(source.weight);
  DenseMatrix matrix;
  matrix.type = form.type;
  matrix.rows = source.rows;
  matrix.cols = source.cols;
  matrix.data = AlignedBuffer<std::uint8_t>(DenseBytes(source), Pages::kHuge);
  if (form.convert != nullptr) {
    ReadConverted(source, form, matrix);
    return matrix;
  }
  const std::span<std::uint8_t> bytes(matrix.data.data(), matrix.data.size());
  checkpoint::ReadDense(source, bytes);
  if (AllZero(bytes)) ThrowHole(source.weight);
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
  packing::TernaryMatrix matrix = checkpoint::ReadLinear(source);
  TernaryWeights weights;
  weights.tiles = AlignedBuffer<std::uint8_t>(
      packing::TilesBytes(matrix.rows, matrix.cols), Pages::kHuge);
  packing::FillTiles(matrix, 0, matrix.rows, weights.tiles.data());
  weights.group = matrix.group;
  weights.block = matrix.block;
  weights.scales = std::move(matrix.scales);
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
    linear.dense = LoadDense(source);
  }
  if (source.input_norm) linear.input_norm = LoadNorm(*source.input_norm);
  return linear;
}

// Something to load: where from and where to.
struct LinearJob {
  const LinearSource* source;
  Linear* target;
};

std::vector<LinearJob> LinearJobs(const Checkpoint& from, Weights& to) {
  std::vector<LinearJob> jobs = {{&from.embedding, &to.embedding}};
  if (from.head) jobs.push_back({&*from.head, &to.head});
  for (std::size_t i = 0; i < from.layers.size(); ++i) {
    const LayerSource& s = from.layers[i];
    LayerWeights& w = to.layers[i];
    jobs.insert(jobs.end(), {{&s.q, &w.q},
                             {&s.k, &w.k},
                             {&s.v, &w.v},
                             {&s.o, &w.o},
                             {&s.gate, &w.gate},
                             {&s.up, &w.up},
                             {&s.down, &w.down}});
  }
  return jobs;
}

// What a thread needs beside the result while it loads one matrix: the stored
// bytes and codes, or floats to be ternarised and codes.
std::uint64_t LoadingBytes(const LinearSource& source) {
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

// Loads the matrices on all threads, one at a time each: so the working memory
// is a matrix a thread.  The first Error wins.
void LoadLinears(const std::vector<LinearJob>& jobs, const LoadOptions& options,
                 Team& team) {
  std::mutex mutex;
  std::exception_ptr error;
  std::atomic<bool> failed = false;
  std::atomic<std::size_t> done = 0;
  ParallelForEach(team, jobs.size(), [&](std::size_t i, std::size_t t) {
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

std::unique_ptr<const Weights> LoadWeights(const Checkpoint& from,
                                           const LoadOptions& options) {
  auto to = std::make_unique<Weights>();
  to->layers.resize(from.layers.size());
  const std::vector<LinearJob> jobs = LinearJobs(from, *to);
  const LinearSource& head = from.head ? *from.head : from.embedding;
  const HeadForm head_form = FormOfHead(head, options.head);
  std::uint64_t bytes = HeadFormBytes(head_form, head.rows, head.cols);
  std::uint64_t loading = 0;
  for (const LinearJob& job : jobs) {
    bytes += LinearBytes(*job.source);
    loading = std::max(loading, LoadingBytes(*job.source));
  }
  const int num_threads =
      options.num_threads > 0 ? options.num_threads : UsableCores();
  bytes += loading * static_cast<std::uint64_t>(num_threads);
  RequireMemory(bytes, from.path.string(),
                "use a smaller model or a machine with more memory");
  LoadNorms(from, *to);
  Team team(num_threads);
  LoadLinears(jobs, options, team);
  MakeHead(head_form, *to, team);
  return to;
}

}  // namespace tern
