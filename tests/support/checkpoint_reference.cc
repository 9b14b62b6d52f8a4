#include "tests/support/checkpoint_reference.h"

#include <optional>
#include <stdexcept>

namespace tern::testing {
namespace {

using packing::ScaleGroup;

std::vector<float> ReadFloats(const files::StoredTensor& tensor) {
  std::vector<float> values(tensor.ElementCount());
  files::ReadFloats(tensor, 0, tensor.shape.size() > 1 ? tensor.shape[0] : 1,
                    values.data());
  return values;
}

std::vector<float> ReadFloats(
    const std::optional<files::StoredTensor>& tensor) {
  return tensor ? ReadFloats(*tensor) : std::vector<float>();
}

void Decode(const packing::TernaryMatrix& from, ReferenceMatrix& to) {
  to.block = from.group == ScaleGroup::kBlock ? from.block : from.cols;
  if (from.cols % to.block != 0) {
    throw std::runtime_error("blocks that do not fill the row");
  }
  if (from.group == ScaleGroup::kMatrix) {
    to.scales.assign(from.rows, from.scales[0]);
  } else {
    to.scales = from.scales;
  }
  for (std::size_t r = 0; r < from.rows; ++r) {
    for (std::size_t c = 0; c < from.cols; ++c) {
      to.trits.push_back(
          static_cast<std::int8_t>(static_cast<int>(from.Code(r, c)) - 1));
    }
  }
}

ReferenceLayer ReadLayer(const checkpoint::LayerSource& source) {
  ReferenceLayer layer;
  layer.attn_norm = ReadFloats(source.attn_norm);
  layer.q = ReadReferenceMatrix(source.q);
  layer.k = ReadReferenceMatrix(source.k);
  layer.v = ReadReferenceMatrix(source.v);
  layer.q_norm = ReadFloats(source.q_norm);
  layer.k_norm = ReadFloats(source.k_norm);
  layer.attn_sub_norm = ReadFloats(source.attn_sub_norm);
  layer.o = ReadReferenceMatrix(source.o);
  layer.ffn_norm = ReadFloats(source.ffn_norm);
  layer.gate = ReadReferenceMatrix(source.gate);
  layer.up = ReadReferenceMatrix(source.up);
  layer.ffn_sub_norm = ReadFloats(source.ffn_sub_norm);
  layer.down = ReadReferenceMatrix(source.down);
  return layer;
}

}  // namespace

ReferenceMatrix ReadReferenceMatrix(const checkpoint::LinearSource& source) {
  ReferenceMatrix matrix;
  matrix.rows = source.rows;
  matrix.cols = source.cols;
  matrix.input_norm = ReadFloats(source.input_norm);
  if (source.kind != checkpoint::LinearKind::kDense) {
    Decode(checkpoint::ReadLinear(source), matrix);
  } else if (source.interleaved_heads == 0) {
    matrix.values = ReadFloats(source.weight);
  } else {
    throw std::runtime_error("dense weights of interleaved pairs");
  }
  return matrix;
}

ReferenceModel ReadReferenceModel(const checkpoint::Checkpoint& checkpoint) {
  const ModelConfig& config = checkpoint.config;
  ReferenceModel model;
  model.heads = config.num_heads;
  model.kv_heads = config.num_kv_heads;
  model.head_dim = config.head_dim;
  model.silu = config.activation == Activation::kSilu;
  model.int8_input = config.input_type == InputType::kInt8;
  model.norm_eps = config.norm_eps;
  model.projection_norm_eps = config.projection_norm_eps;
  model.frequencies.assign(config.rope_frequencies.begin(),
                           config.rope_frequencies.end());
  if (model.frequencies.empty()) {
    model.frequencies = RotaryFrequencies(config.rope_theta, config.head_dim);
  }
  model.magnitude = config.rope_magnitude;
  model.embedding = ReadReferenceMatrix(checkpoint.embedding);
  if (checkpoint.head) model.head = ReadReferenceMatrix(*checkpoint.head);
  model.output_norm = ReadFloats(checkpoint.output_norm);
  for (const checkpoint::LayerSource& layer : checkpoint.layers) {
    model.layers.push_back(ReadLayer(layer));
  }
  return model;
}

}  // namespace tern::testing
