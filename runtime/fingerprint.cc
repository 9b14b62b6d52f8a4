#include "runtime/fingerprint.h"

#include <span>
#include <vector>

#include "runtime/checksum.h"

namespace tern {
namespace {

void AddFloats(const std::vector<float>& floats, Checksum* sum) {
  sum->AddNumbers(std::span<const float>(floats));
}

void AddConfig(const ModelConfig& c, Checksum* sum) {
  const std::vector<std::uint64_t> sizes = {
      static_cast<std::uint64_t>(c.activation),
      static_cast<std::uint64_t>(c.input_type),
      std::uint64_t{c.sub_norms},
      std::uint64_t{c.head_norms},
      std::uint64_t{c.projection_norms},
      c.hidden_size,
      c.num_layers,
      c.ffn_size,
      c.num_heads,
      c.num_kv_heads,
      c.head_dim,
      c.vocab_size};
  sum->AddNumbers(std::span<const std::uint64_t>(sizes));
  AddFloats({c.rope_theta, c.rope_magnitude, c.norm_eps, c.projection_norm_eps},
            sum);
  AddFloats(c.rope_frequencies, sum);
}

void AddLinear(const Linear& w, Checksum* sum) {
  const std::vector<std::uint64_t> form = {
      w.rows,
      w.cols,
      std::uint64_t{w.is_ternary},
      static_cast<std::uint64_t>(w.ternary.group),
      w.ternary.block,
      static_cast<std::uint64_t>(w.dense.type)};
  sum->AddNumbers(std::span<const std::uint64_t>(form));
  const WeightBytes& bytes = w.is_ternary ? w.ternary.tiles : w.dense.data;
  sum->Add({bytes.data(), bytes.size()});
  AddFloats(w.ternary.scales, sum);
  AddFloats(w.input_norm, sum);
}

}  // namespace

std::uint64_t Fingerprint(const ModelConfig& config, const Weights& weights) {
  Checksum sum;
  AddConfig(config, &sum);
  AddLinear(weights.embedding, &sum);
  AddFloats(weights.output_norm, &sum);  // of what is saved for the head
  for (const LayerWeights& w : weights.layers) {
    for (const std::vector<float>* norm :
         {&w.attn_norm, &w.q_norm, &w.k_norm, &w.attn_sub_norm, &w.ffn_norm,
          &w.ffn_sub_norm}) {
      AddFloats(*norm, &sum);
    }
    for (const Linear* linear :
         {&w.q, &w.k, &w.v, &w.o, &w.gate, &w.up, &w.down}) {
      AddLinear(*linear, &sum);
    }
  }
  return sum.value() != 0 ? sum.value() : 1;
}

}  // namespace tern
