// From the bytes of a linear layer to its codes and scales.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>
#include <vector>

#include <tern/error.h>

#include "packing/hf_packed.h"
#include "packing/i2_s.h"
#include "packing/iq_bn.h"
#include "packing/ptq1_0.h"
#include "packing/q2_0.h"
#include "packing/quantize.h"
#include "packing/t2.h"
#include "packing/tq1_0.h"
#include "packing/tq2_0.h"
#include "packing/unpacked.h"
#include "runtime/checkpoint/checkpoint.h"
#include "runtime/files/finite.h"

namespace tern::checkpoint {
namespace {

using files::StoredTensor;
using files::StoredType;

std::string RuleAdvice(const LinearSource& source) {
  if (source.weight.type != StoredType::kU8) {
    return "; the file is damaged, fetch it again";
  }
  return std::string("; config.json makes it a ") +
         (source.scale_is_divisor ? "divisor (linear_class bitlinear, or none)"
                                  : "multiplier (linear_class autobitlinear)") +
         ", check quantization_config against the original model";
}

float ReadMultiplier(const LinearSource& source) {
  const StoredTensor& scale = *source.scale;
  float value = 0;
  files::ReadFloats(scale, 0, 1, &value);
  const float multiplier = source.scale_is_divisor ? 1.0F / value : value;
  if (value < 0 || !std::isfinite(multiplier)) {
    throw Error(ErrorCode::kMalformed,
                scale.Place() + ": the scale " + std::to_string(value) +
                    " is negative or has no finite reciprocal; the file is "
                    "damaged, fetch it again");
  }
  if (multiplier > kMaxMultiplier) {
    throw Error(ErrorCode::kUnsupported,
                scale.Place() + ": the scale " + std::to_string(value) +
                    " would make every weight " + std::to_string(multiplier) +
                    RuleAdvice(source));
  }
  return multiplier;
}

// Of `scale`, 1 if there is none.
float Multiplier(const LinearSource& source) {
  return source.scale ? ReadMultiplier(source) : 1.0F;
}

packing::I2SOrder ToOrder(I2SLayout layout) {
  switch (layout) {
    case I2SLayout::kA:
      return packing::I2SOrder::kA;
    case I2SLayout::kB:
      return packing::I2SOrder::kB;
    case I2SLayout::kC:
      break;
  }
  return packing::I2SOrder::kC;
}

// Of a matrix of floats that is read piece by piece: 4 MiB of float32, and a
// multiple of 8 rows, as AbsmeanTernarizer wants it.
std::size_t RowsAtOnce(const LinearSource& source) {
  constexpr std::size_t kFloats = std::size_t{1} << 20;
  return std::max<std::size_t>(1, kFloats / source.cols / 8) * 8;
}

// Four weights of 0.
constexpr std::uint8_t kFourZeros = 0x55;

// `byte` throughout, which stands for the zeros of a hole in the file, such as
// a download leaves that was cut short.  No trained matrix is like that.
void RefuseHole(const LinearSource& source, std::span<const std::uint8_t> bytes,
                std::uint8_t byte = 0) {
  if (!std::all_of(bytes.begin(), bytes.end(),
                   [&](std::uint8_t other) { return other == byte; })) {
    return;
  }
  throw Error(ErrorCode::kMalformed,
              source.weight.Place() +
                  ": all its weights are the same; the file has a hole, get it "
                  "again");
}

packing::MaybeFault UnpackBytes(const LinearSource& source,
                                const std::vector<std::uint8_t>& bytes,
                                packing::TernaryMatrix& matrix) {
  const StoredTensor& weight = source.weight;
  const std::size_t rows = source.rows;
  const std::size_t cols = source.cols;
  switch (weight.type) {
    case StoredType::kU8:
      return packing::UnpackHf(bytes, rows, cols, Multiplier(source), matrix);
    case StoredType::kI2S:
      return packing::UnpackI2S(bytes, rows, cols, matrix,
                                ToOrder(source.i2s_layout));
    case StoredType::kTq1_0:
      return packing::UnpackTq1(bytes, rows, cols, matrix);
    case StoredType::kTq2_0:
      return packing::UnpackTq2(bytes, rows, cols, matrix);
    case StoredType::kQ2_0:
      return packing::UnpackQ2(bytes, rows, cols, packing::Q2Block::k64,
                               matrix);
    case StoredType::kPq2_0:
      return packing::UnpackQ2(bytes, rows, cols, packing::Q2Block::k128,
                               matrix);
    case StoredType::kPtq1_0:
      return packing::UnpackPtq1(bytes, rows, cols, matrix);
    case StoredType::kIq1Bn:
      return packing::UnpackIq1Bn(bytes, rows, cols, matrix);
    case StoredType::kIq2Bn:
      return packing::UnpackIq2Bn(bytes, rows, cols, matrix);
    case StoredType::kT2:
      return packing::UnpackT2(bytes, rows, cols, ReadMultipliers(source),
                               matrix);
    default:
      throw Error(ErrorCode::kInvalidArgument,
                  weight.Place() + ": type " + weight.type_name +
                      " holds no ternary codes; read it as floats");
  }
}

// Whether the file has one scale for the matrix and it is not 0, so that
// weights of 0 throughout contradict it.
bool HasScale(const LinearSource& source,
              const std::vector<std::uint8_t>& bytes) {
  switch (source.weight.type) {
    case StoredType::kU8:
      return Multiplier(source) != 0;
    case StoredType::kI2S: {
      float scale = 0;
      std::memcpy(&scale, bytes.data() + source.rows * source.cols / 4,
                  sizeof(scale));
      return scale != 0;
    }
    default:
      return false;
  }
}

packing::MaybeFault Unpack(const LinearSource& source,
                           packing::TernaryMatrix& matrix) {
  const std::vector<std::uint8_t> bytes = source.weight.ReadAll();
  packing::MaybeFault fault = UnpackBytes(source, bytes, matrix);
  if (fault) return fault;
  RefuseHole(source, bytes);
  if (HasScale(source, bytes)) RefuseHole(source, matrix.codes, kFourZeros);
  return {};
}

// A scale beside codes that have scales of their own (GGUF).
void ApplyScale(const LinearSource& source, packing::TernaryMatrix& matrix) {
  if (!source.scale || source.weight.type == StoredType::kU8) return;
  const float multiplier = Multiplier(source);
  for (float& scale : matrix.scales) {
    scale *= multiplier;
    if (!std::isfinite(scale)) {
      throw Error(ErrorCode::kMalformed,
                  source.scale->Place() +
                      ": its product with the scales of the codes is not "
                      "finite; the file is damaged, fetch it again");
    }
  }
  packing::WidenScales(matrix);
}

// Calls use(weights) for all rows in order, a few MB of them at a time; returns
// the fault that it does.
template <class Use>
packing::MaybeFault ForEachPiece(const LinearSource& source, const Use& use) {
  std::vector<float> weights;
  const std::size_t at_once = RowsAtOnce(source);
  for (std::size_t row = 0; row < source.rows; row += at_once) {
    const std::size_t end = std::min(row + at_once, source.rows);
    weights.resize((end - row) * source.cols);
    files::ReadFloats(source.weight, row, end, weights.data());
    if (auto fault = use(std::span<const float>(weights))) return fault;
  }
  return {};
}

// Two passes over the file, so that the floats, 16 times the codes, are never
// in memory together.
packing::MaybeFault Ternarize(const LinearSource& source,
                              packing::TernaryMatrix& matrix) {
  packing::AbsmeanTernarizer ternarizer(source.rows, source.cols);
  packing::MaybeFault fault =
      ForEachPiece(source, [&](std::span<const float> weights) {
        return ternarizer.Measure(weights);
      });
  if (!fault) fault = ternarizer.Begin(matrix);
  if (fault) return fault;
  return ForEachPiece(
      source, [&](std::span<const float> weights) -> packing::MaybeFault {
        ternarizer.Quantize(weights, matrix);
        return {};
      });
}

packing::MaybeFault UnpackFloats(const LinearSource& source,
                                 packing::TernaryMatrix& matrix) {
  packing::FloatUnpacker unpacker(source.rows, source.cols, matrix);
  packing::MaybeFault fault =
      ForEachPiece(source, [&](std::span<const float> weights) {
        return unpacker.TakeCodes(weights);
      });
  if (fault) return fault;
  return ForEachPiece(
      source, [&](std::span<const float> weights) -> packing::MaybeFault {
        unpacker.TakeScales(weights);
        return {};
      });
}

// Where row `row` in the order of halves is stored: of each head, dimension i
// of half h is in row 2i + h of it.
std::size_t StoredRow(const LinearSource& source, std::size_t row) {
  if (source.interleaved_heads == 0) return row;
  const std::size_t head_dim = source.rows / source.interleaved_heads;
  const std::size_t dim = row % head_dim;
  const std::size_t half = dim / (head_dim / 2);
  return row - dim + 2 * (dim % (head_dim / 2)) + half;
}

// Brings `rows` rows of `row_size` elements, those of whole heads, into the
// order of halves.
template <class T>
void RestoreRows(const LinearSource& source, std::size_t rows,
                 std::size_t row_size, std::span<T> data) {
  if (source.interleaved_heads == 0) return;
  const std::vector<T> stored(data.begin(), data.end());
  for (std::size_t row = 0; row < rows; ++row) {
    std::copy_n(
        stored.begin() +
            static_cast<std::ptrdiff_t>(StoredRow(source, row) * row_size),
        row_size, data.begin() + static_cast<std::ptrdiff_t>(row * row_size));
  }
}

// Why weights that looked ternary by some rows are not.
[[noreturn]] void RefuseUnpacked(const LinearSource& source,
                                 const packing::Fault& fault) {
  throw Error(ErrorCode::kUnsupported,
              source.weight.Place() + ": weight " +
                  std::to_string(fault.offset) + ": " + fault.what +
                  ", though other rows hold -s, 0 and +s alone; the file is "
                  "damaged, or not all of the matrix is ternary, which tern "
                  "does not run");
}

// What is wrong at byte `fault.offset` of the tensor's data.
[[noreturn]] void RefuseBytes(const StoredTensor& tensor,
                              const packing::Fault& fault) {
  const std::uint64_t offset = tensor.offset + fault.offset;
  throw Error(ErrorCode::kMalformed,
              tensor.Place() + ": byte " + std::to_string(offset) + ": " +
                  fault.what + "; the file is damaged, fetch it again",
              offset);
}

}  // namespace

packing::T2Scales ReadMultipliers(const LinearSource& source) {
  const StoredTensor& tensor = source.multipliers.value();
  const std::uint64_t rows = tensor.shape.size() == 1 ? 1 : tensor.shape[0];
  std::vector<float> scales(tensor.ElementCount());
  files::ReadFloats(tensor, 0, rows, scales.data());
  packing::T2Scales unpacked;
  if (const auto fault =
          packing::UnpackT2Scales(tensor.shape, std::move(scales), source.rows,
                                  source.cols, unpacked)) {
    RefuseBytes(tensor, *fault);
  }
  return unpacked;
}

void CheckTiles(const LinearSource& source, const packing::T2Scales& scales,
                std::span<const std::uint8_t> tiles) {
  if (const auto fault =
          packing::CheckT2(tiles, source.rows, source.cols, scales)) {
    RefuseBytes(source.weight, *fault);
  }
  RefuseHole(source, tiles);
  if (std::any_of(scales.scales.begin(), scales.scales.end(),
                  [](float scale) { return scale != 0; })) {
    RefuseHole(source, tiles, kFourZeros);
  }
}

void ReadTiles(const LinearSource& source, const packing::T2Scales& scales,
               std::span<std::uint8_t> tiles) {
  source.weight.file->Read(source.weight.offset, tiles);
  CheckTiles(source, scales, tiles);
}

std::uint64_t ReadLinearBytes(const LinearSource& source) {
  const std::uint64_t codes =
      source.rows * packing::TernaryMatrix::RowBytes(source.cols);
  // A float32 for the smallest block of weights that any layout has.
  constexpr std::uint64_t kLeastBlock = 32;
  const std::uint64_t scales = std::uint64_t{source.rows} *
                               (source.cols / kLeastBlock + 1) * sizeof(float);
  const bool is_whole = source.kind == LinearKind::kMaster ||
                        source.weight.type == StoredType::kI2S ||
                        source.weight.type == StoredType::kU8;
  return codes + (is_whole ? 0 : scales) +
         (source.kind == LinearKind::kTernary
              ? source.weight.bytes
              : RowsAtOnce(source) * source.cols * sizeof(float));
}

packing::TernaryMatrix ReadLinear(const LinearSource& source) {
  if (source.kind == LinearKind::kDense) {
    throw Error(ErrorCode::kInvalidArgument,
                source.weight.Place() +
                    ": its weights are not ternary; read them as floats");
  }
  packing::TernaryMatrix matrix;
  const packing::MaybeFault fault =
      source.kind == LinearKind::kTernary  ? Unpack(source, matrix)
      : source.kind == LinearKind::kMaster ? Ternarize(source, matrix)
                                           : UnpackFloats(source, matrix);
  if (fault && source.kind == LinearKind::kUnpacked) {
    RefuseUnpacked(source, *fault);
  }
  if (fault) RefuseBytes(source.weight, *fault);
  // As codes, or as floats.  A matrix of zeros that is written as codes 1 under
  // scale 0 is no hole.
  RefuseHole(source, matrix.codes);
  if (source.kind != LinearKind::kTernary) {
    RefuseHole(source, matrix.codes, kFourZeros);
  }
  ApplyScale(source, matrix);
  RestoreRows(source, matrix.rows,
              packing::TernaryMatrix::RowBytes(matrix.cols),
              std::span(matrix.codes));
  if (matrix.group != packing::ScaleGroup::kMatrix) {
    RestoreRows(source, matrix.rows, matrix.scales.size() / matrix.rows,
                std::span(matrix.scales));
  }
  return matrix;
}

void ReadDense(const LinearSource& source, std::size_t row_begin,
               std::size_t row_end, std::span<std::uint8_t> bytes) {
  const StoredTensor& weight = source.weight;
  const std::uint64_t row_bytes = weight.bytes / source.rows;
  weight.file->Read(weight.offset + row_begin * row_bytes, bytes);
  files::RequireFinite(weight, row_begin * row_bytes, bytes);
  RestoreRows(source, row_end - row_begin, row_bytes, bytes);
}

void ReadDenseFloats(const LinearSource& source, std::size_t row_begin,
                     std::size_t row_end, std::span<float> values) {
  files::ReadFloats(source.weight, row_begin, row_end, values.data());
  RestoreRows(source, row_end - row_begin, source.cols, values);
}

}  // namespace tern::checkpoint
