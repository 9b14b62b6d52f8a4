// Reads every weight once, by the functions that load it.
#include <algorithm>
#include <bit>
#include <cstring>
#include <span>

#include "packing/ternary_matrix.h"
#include "packing/tiles.h"
#include "runtime/checkpoint/find_unpacked.h"
#include "runtime/checkpoint/tensor_table.h"
#include "runtime/inspect/inspection.h"
#include "runtime/load_weights.h"
#include "runtime/memory.h"

namespace tern::inspect {
namespace {

using checkpoint::Checkpoint;
using checkpoint::LayerSource;
using checkpoint::LinearKind;
using checkpoint::LinearSource;
using files::StoredTensor;

constexpr const char* kMemoryAdvice = "free some memory";

// Counts codes eight bytes at a time: code 2 alone has the high bit of its
// slot, code 1 alone the low one, and ReadLinear lets no code 3 through.
void CountCodes(const packing::TernaryMatrix& matrix, TensorReport& shares) {
  std::uint64_t plus = 0;
  std::uint64_t zero = 0;
  const std::span<const std::uint8_t> codes = matrix.codes;
  for (std::size_t i = 0; i < codes.size(); i += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, codes.data() + i,
                std::min<std::size_t>(8, codes.size() - i));
    plus +=
        static_cast<std::uint64_t>(std::popcount(word & 0xaaaaaaaaaaaaaaaaU));
    zero +=
        static_cast<std::uint64_t>(std::popcount(word & 0x5555555555555555U));
  }
  zero -= matrix.rows * (4 * packing::TernaryMatrix::RowBytes(matrix.cols) -
                         matrix.cols);  // slots beyond the last column
  const auto total = static_cast<double>(matrix.rows * matrix.cols);
  shares.share_plus = static_cast<double>(plus) / total;
  shares.share_zero = static_cast<double>(zero) / total;
  shares.share_minus = 1 - (static_cast<double>(plus + zero) / total);
}

// Groups of nothing but zeros have scale 0, which says nothing of the others.
TensorScales FindScales(const std::string& name, std::span<const float> scales,
                        TensorReport& shares) {
  std::vector<float> used;
  std::copy_if(scales.begin(), scales.end(), std::back_inserter(used),
               [](float scale) { return scale != 0; });
  TensorScales found{.name = name,
                     .zeros = scales.size() - used.size(),
                     .count = scales.size()};
  if (used.empty()) return found;
  std::sort(used.begin(), used.end());
  shares.scale_min = used.front();
  shares.scale_max = used.back();
  found.median = used[used.size() / 2];
  found.max = used.back();
  return found;
}

void Fill(const std::string& name, const TensorReport& shares,
          Inspection& inspection) {
  const auto found = inspection.at.find(name);
  if (found == inspection.at.end()) return;
  TensorReport& entry = inspection.report.tensors[found->second];
  entry.is_ternary = true;
  entry.scale_min = shares.scale_min;
  entry.scale_max = shares.scale_max;
  entry.share_minus = shares.share_minus;
  entry.share_zero = shares.share_zero;
  entry.share_plus = shares.share_plus;
}

// Reads the codes of a ternary layer; returns the number of its scales.
std::uint64_t ReadTernary(const LinearSource& source, Inspection& inspection) {
  const std::string& name = source.weight.name;
  std::uint64_t scales = 1;
  inspection.read.insert(name);
  files::Reporting(inspection.faults.Sink(), [&] {
    RequireMemory(checkpoint::ReadLinearBytes(source), source.weight.Place(),
                  kMemoryAdvice);
    const packing::TernaryMatrix matrix = checkpoint::ReadLinear(source);
    TensorReport shares;
    CountCodes(matrix, shares);
    inspection.scales.push_back(FindScales(name, matrix.scales, shares));
    Fill(name, shares, inspection);
    scales = matrix.scales.size();
  });
  return scales;
}

// Reads floats for what ReadFloats refuses: values that are not finite.
void ReadAllFloats(const StoredTensor& tensor, Inspection& inspection) {
  constexpr std::uint64_t kPiece = std::uint64_t{1} << 20;
  const std::uint64_t cols = tensor.shape.back();
  const std::uint64_t rows = tensor.ElementCount() / cols;
  const std::uint64_t at_once = std::max<std::uint64_t>(1, kPiece / cols);
  files::Reporting(inspection.faults.Sink(), [&] {
    RequireMemory(2 * sizeof(float) * at_once * cols, tensor.Place(),
                  kMemoryAdvice);
    std::vector<float> values(at_once * cols);
    for (std::uint64_t row = 0; row < rows; row += at_once) {
      files::ReadFloats(tensor, row, std::min(row + at_once, rows),
                        values.data());
    }
  });
}

void ReadNorm(const StoredTensor& norm, MemoryReport& memory,
              Inspection& inspection) {
  if (norm.file == nullptr) return;
  ReadAllFloats(norm, inspection);
  memory.norm_bytes += norm.ElementCount() * sizeof(float);
}

// Adds what it will take in memory to `ternary` or `dense`.
void ReadLinear(const LinearSource& linear, std::uint64_t& ternary,
                std::uint64_t& dense, Inspection& inspection) {
  if (linear.weight.file == nullptr) return;
  if (linear.kind == LinearKind::kDense) {
    ReadAllFloats(linear.weight, inspection);
    dense += DenseBytes(linear);
  } else {
    ternary += packing::TilesBytes(linear.rows, linear.cols) +
               ReadTernary(linear, inspection) * sizeof(float);
  }
}

void ReadNorms(const LayerSource& layer, MemoryReport& memory,
               Inspection& inspection) {
  ReadNorm(layer.attn_norm, memory, inspection);
  ReadNorm(layer.ffn_norm, memory, inspection);
  for (const auto* norm : {&layer.q_norm, &layer.k_norm, &layer.attn_sub_norm,
                           &layer.ffn_sub_norm}) {
    if (*norm) ReadNorm(**norm, memory, inspection);
  }
}

}  // namespace

MemoryReport ReadWeights(const Checkpoint& model, Inspection& inspection) {
  MemoryReport memory;
  ReadLinear(model.embedding, memory.embedding_bytes, memory.embedding_bytes,
             inspection);
  if (model.head) {
    ReadLinear(*model.head, memory.embedding_bytes, memory.embedding_bytes,
               inspection);
  }
  ReadNorm(model.output_norm, memory, inspection);
  for (const LayerSource& layer : model.layers) {
    ReadNorms(layer, memory, inspection);
  }
  checkpoint::ForEachLinear(model, [&](const LinearSource& linear) {
    ReadLinear(linear, memory.ternary_bytes, memory.dense_bytes, inspection);
    if (linear.input_norm) ReadNorm(*linear.input_norm, memory, inspection);
  });
  return memory;
}

void ReadLooseWeights(const std::filesystem::path& path,
                      const files::TensorMap& tensors, Inspection& inspection) {
  checkpoint::TensorTable table(path, tensors);
  for (const auto& [name, tensor] : tensors) {
    if (!checkpoint::IsTernary(tensor.type) || tensor.shape.size() != 2 ||
        inspection.read.contains(name)) {
      continue;
    }
    LinearSource source;
    source.kind = LinearKind::kTernary;
    source.rows = tensor.shape[0];
    source.cols = tensor.shape[1];
    source.weight = tensor;
    if (files::Reporting(inspection.faults.Sink(),
                         [&] { table.TakeMultipliers(source); })) {
      ReadTernary(source, inspection);
    }
  }
}

}  // namespace tern::inspect
