// GGUF files, as bitnet.cpp, llama.cpp, ik_llama.cpp and PrismML write them.
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include <tern/error.h>

#include "runtime/checkpoint/config_limits.h"
#include "runtime/checkpoint/find_unpacked.h"
#include "runtime/checkpoint/formats.h"
#include "runtime/checkpoint/gguf_config.h"
#include "runtime/checkpoint/tensor_table.h"
#include "runtime/files/gguf.h"
#include "runtime/files/t2_file.h"
#include "runtime/rope.h"

namespace tern::checkpoint {
namespace {

using files::GgufFile;
using files::StoredTensor;
using files::StoredType;

constexpr TensorNames kNames = {
    .embedding = "token_embd.weight",
    .output_norm = "output_norm.weight",
    .head = "output.weight",
    .layers = "blk",
    .attn_norm = "attn_norm",
    .q = "attn_q",
    .k = "attn_k",
    .v = "attn_v",
    .q_norm = "attn_q_norm",
    .k_norm = "attn_k_norm",
    .attn_sub_norm = "attn_sub_norm",
    .o = "attn_output",
    .ffn_norm = "ffn_norm",
    .gate = "ffn_gate",
    .up = "ffn_up",
    .ffn_sub_norm = "ffn_sub_norm",
    .down = "ffn_down",
    .input_norm = "_norm_in.weight",
};

// Weights that a block of I2_S covers, in whichever direction.
void CheckI2S(const LinearSource& source, I2SLayout layout) {
  const std::size_t weights = source.rows * source.cols;
  const bool fits = layout == I2SLayout::kC   ? source.rows % 4 == 0
                    : layout == I2SLayout::kB ? weights % 64 == 0
                                              : weights % 128 == 0;
  if (fits) return;
  throw Error(ErrorCode::kUnsupported,
              source.weight.Place() + ": " + std::to_string(source.rows) +
                  " rows of " + std::to_string(source.cols) +
                  " weights as I2_S, which has blocks of 128 (64 in layout b, "
                  "4 rows in layout c); convert the model again from the "
                  "original");
}

// One element, beside the codes: architecture bitnet as llama.cpp writes it.
void TakeScale(TensorTable& table, const std::string& name,
               LinearSource& source) {
  // T2 codes have multipliers that leave it no place.
  if (!table.Contains(name + ".scale") || source.multipliers) return;
  source.scale = table.TakeFloats(name + ".scale", {1});
  if (source.kind != LinearKind::kTernary) {
    throw Error(ErrorCode::kUnsupported,
                source.scale->Place() +
                    ": a scale beside weights that are not ternary codes; "
                    "convert the model again from the original");
  }
}

LinearSource TakeGgufLinear(TensorTable& table, const std::string& name,
                            std::size_t rows, std::size_t cols) {
  LinearSource source;
  source.rows = rows;
  source.cols = cols;
  source.weight = table.Take(name + ".weight", {rows, cols});
  const StoredTensor& weight = source.weight;
  if (IsTernary(weight.type)) {
    source.kind = LinearKind::kTernary;
    table.TakeMultipliers(source);
  } else if (!IsPlainFloat(weight.type)) {
    RefuseType(weight, "ternary types, F32, F16 or BF16");
  }
  return source;
}

// Divisors of the rotary frequencies (Llama 3.1), [head_dim / 2].  Beside
// frequencies that tern wrote they say the same, rounded.
void ApplyRopeFactors(TensorTable& table, bool has_frequencies,
                      ModelConfig& config) {
  const char* name = "rope_freqs.weight";
  if (!table.Contains(name)) return;
  const StoredTensor tensor = table.TakeFloats(name, {config.head_dim / 2});
  std::vector<float> frequencies =
      RopeFrequencies(config.rope_theta, config.head_dim);
  std::vector<float> factors(frequencies.size());
  files::ReadFloats(tensor, 0, 1, factors.data());
  constexpr float kRounding = 1e-6F;
  bool same = has_frequencies;
  for (std::size_t i = 0; i < factors.size(); ++i) {
    frequencies[i] /= factors[i];
    same = same && std::abs(frequencies[i] - config.rope_frequencies[i]) <=
                       kRounding * frequencies[i];
  }
  if (same) return;
  if (!config.rope_frequencies.empty()) {
    throw Error(ErrorCode::kUnsupported,
                tensor.Place() +
                    ": scales rotary positions otherwise than the metadata "
                    "does; convert the model again from the original");
  }
  config.rope_frequencies = std::move(frequencies);
  CheckConfig(config, tensor.Place());
}

// What follows from the architecture or an option and not from the tensors.
void Finish(const OpenOptions& options, const files::OnFault& on_fault,
            Checkpoint& checkpoint) {
  const ModelConfig& config = checkpoint.config;
  const auto set_layout = [&](LinearSource& source) {
    source.i2s_layout = options.i2s_layout;
    if (source.weight.type == StoredType::kI2S) {
      files::Reporting(on_fault, [&] { CheckI2S(source, options.i2s_layout); });
    }
  };
  set_layout(checkpoint.embedding);
  if (checkpoint.head) set_layout(*checkpoint.head);
  ForEachLinear(checkpoint, set_layout);
  if (config.architecture != "llama") return;
  // T2 has the rows in the order of the forward pass: its tiles are used as
  // they are.
  const auto interleave = [](LinearSource& source, std::size_t heads) {
    if (source.weight.type != StoredType::kT2) source.interleaved_heads = heads;
  };
  for (LayerSource& layer : checkpoint.layers) {
    interleave(layer.q, config.num_heads);
    interleave(layer.k, config.num_kv_heads);
  }
}

// "GGUF v3, I2_S (layout b)": the type of most weights.
std::string FormatName(std::uint32_t version, const OpenOptions& options,
                       const Checkpoint& checkpoint) {
  std::string name = "GGUF v" + std::to_string(version);
  if (checkpoint.layers.empty()) return name;
  const LinearSource& first = checkpoint.layers.front().q;
  if (first.weight.file == nullptr) return name;
  name += ", " + first.weight.type_name;
  if (first.weight.type == StoredType::kI2S &&
      options.i2s_layout != I2SLayout::kA) {
    name += options.i2s_layout == I2SLayout::kB ? " (layout b)" : " (layout c)";
  }
  return name;
}

}  // namespace

Checkpoint OpenGguf(const std::filesystem::path& path,
                    const OpenOptions& options,
                    const files::OnFault& on_fault) {
  GgufFile file = files::ReadGguf(path, on_fault);
  Checkpoint checkpoint;
  checkpoint.path = path;
  checkpoint.files = {path};
  checkpoint.config = ReadGgufConfig(file, on_fault);
  if (options.input_type) checkpoint.config.input_type = *options.input_type;
  const bool is_t2 = files::IsT2(file);
  TensorTable table(path, std::move(file.tensors));
  if (is_t2) (void)table.Take(files::kChecksumsName);  // verify reads them
  files::Reporting(on_fault, [&] {
    ApplyRopeFactors(table, file.metadata.contains(kRopeFrequenciesKey),
                     checkpoint.config);
  });
  const bool has_scales = checkpoint.config.architecture == "bitnet";
  BindTensors(
      table, kNames,
      [&](TensorTable& from, const std::string& name, std::size_t rows,
          std::size_t cols) {
        LinearSource source = TakeGgufLinear(from, name, rows, cols);
        if (has_scales) TakeScale(from, name, source);
        return source;
      },
      on_fault, checkpoint);
  Finish(options, on_fault, checkpoint);
  checkpoint.format = FormatName(file.version, options, checkpoint);
  return checkpoint;
}

}  // namespace tern::checkpoint
