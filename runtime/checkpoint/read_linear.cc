// From the bytes of a linear layer to its codes and scales.
#include <cmath>

#include <tern/error.h>

#include "packing/hf_packed.h"
#include "packing/i2_s.h"
#include "packing/quantize.h"
#include "packing/tq2_0.h"
#include "runtime/checkpoint/checkpoint.h"

namespace tern::checkpoint {
namespace {

using files::StoredTensor;
using files::StoredType;

// A multiplier is the mean |w| of the weights that were trained: about 0.01 to
// 2 in published models, its reciprocal 0.5 to 100.  Above this the
// configuration names the wrong one of the two rules (multiply or divide).
constexpr float kMaxMultiplier = 10;

std::string RuleAdvice(bool is_divisor) {
  return std::string("; config.json makes it a ") +
         (is_divisor ? "divisor (linear_class bitlinear, or none)"
                     : "multiplier (linear_class autobitlinear)") +
         ", check quantization_config against the original model";
}

float ReadMultiplier(const StoredTensor& scale, bool is_divisor) {
  float value = 0;
  files::ReadFloats(scale, 0, 1, &value);
  const float multiplier = is_divisor ? 1.0F / value : value;
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
                    RuleAdvice(is_divisor));
  }
  return multiplier;
}

packing::MaybeFault Unpack(const LinearSource& source,
                           packing::TernaryMatrix& matrix) {
  const StoredTensor& weight = source.weight;
  switch (weight.type) {
    case StoredType::kI2S:
      return packing::UnpackI2S(weight.ReadAll(), source.rows, source.cols,
                                matrix);
    case StoredType::kTq2_0:
      return packing::UnpackTq2(weight.ReadAll(), source.rows, source.cols,
                                matrix);
    case StoredType::kU8:
      if (source.scale) {
        const float multiplier =
            ReadMultiplier(*source.scale, source.scale_is_divisor);
        return packing::UnpackHf(weight.ReadAll(), source.rows, source.cols,
                                 multiplier, matrix);
      }
      [[fallthrough]];
    default:
      throw Error(ErrorCode::kInvalidArgument,
                  weight.Place() + ": type " + weight.type_name +
                      " holds no ternary codes; read it as floats");
  }
}

packing::MaybeFault Ternarize(const LinearSource& source,
                              packing::TernaryMatrix& matrix) {
  std::vector<float> weights(source.rows * source.cols);
  files::ReadFloats(source.weight, 0, source.rows, weights.data());
  return packing::TernarizeAbsmean(weights, source.rows, source.cols, matrix);
}

}  // namespace

std::uint64_t ReadLinearBytes(const LinearSource& source) {
  const std::uint64_t codes =
      source.rows * packing::TernaryMatrix::RowBytes(source.cols);
  return codes + (source.kind == LinearKind::kMaster
                      ? source.weight.ElementCount() * sizeof(float)
                      : source.weight.bytes);
}

packing::TernaryMatrix ReadLinear(const LinearSource& source) {
  if (source.kind == LinearKind::kDense) {
    throw Error(ErrorCode::kInvalidArgument,
                source.weight.Place() +
                    ": its weights are not ternary; read them as floats");
  }
  packing::TernaryMatrix matrix;
  const packing::MaybeFault fault = source.kind == LinearKind::kMaster
                                        ? Ternarize(source, matrix)
                                        : Unpack(source, matrix);
  if (fault) {
    throw Error(ErrorCode::kMalformed,
                source.weight.Place() + ": byte " +
                    std::to_string(source.weight.offset + fault->offset) +
                    ": " + fault->what +
                    "; the file is damaged, fetch it again");
  }
  return matrix;
}

}  // namespace tern::checkpoint
