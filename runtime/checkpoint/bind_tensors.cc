// From the names in a file to the members of a Checkpoint.
#include <cstddef>
#include <string>

#include <tern/error.h>

#include "runtime/checkpoint/tensor_table.h"
#include "runtime/files/quote.h"

namespace tern::checkpoint {
namespace {

using files::OnFault;
using files::StoredTensor;

// Where tensors come from, and how.
struct Source {
  TensorTable& table;
  const TensorNames& names;
  const TakeLinear& take_linear;
  const OnFault& on_fault;
};

// Calls `take`, which takes a tensor and what belongs to it (`parts`: names
// that begin so), unless their reader has told already what is wrong with one
// of them.  If that fails they all go, so that none is told as left over.  True
// if it was taken.
template <class Take>
bool TryTake(const Source& from, const std::string& parts, const Take& take) {
  if (!from.table.HasFault(parts) && files::Reporting(from.on_fault, take)) {
    return true;
  }
  from.table.Drop(parts);
  return false;
}

StoredTensor TakeNorm(const Source& from, const std::string& name,
                      std::size_t size) {
  StoredTensor tensor;
  TryTake(from, name, [&] { tensor = from.table.TakeFloats(name, {size}); });
  return tensor;
}

LinearSource TakeEmbedding(const Source& from, const std::string& name,
                           const ModelConfig& config) {
  LinearSource source;
  TryTake(from, name, [&] {
    source =
        from.table.TakeEmbedding(name, config.vocab_size, config.hidden_size);
  });
  return source;
}

// Binds the tensors of one layer.
class LayerBinder {
 public:
  LayerBinder(const Source& from, const ModelConfig& config, std::string prefix)
      : from_(from), config_(config), prefix_(std::move(prefix)) {}

  LayerSource Bind() {
    const TensorNames& names = from_.names;
    const std::size_t hidden = config_.hidden_size;
    const std::size_t q_width = config_.num_heads * config_.head_dim;
    const std::size_t kv_width = config_.num_kv_heads * config_.head_dim;
    LayerSource layer;
    layer.attn_norm = Norm(names.attn_norm, hidden);
    layer.q = Linear(names.q, q_width, hidden);
    layer.k = Linear(names.k, kv_width, hidden);
    layer.v = Linear(names.v, kv_width, hidden);
    if (config_.head_norms) {
      layer.q_norm = Norm(names.q_norm, config_.head_dim);
      layer.k_norm = Norm(names.k_norm, config_.head_dim);
    }
    layer.o = Linear(names.o, hidden, q_width);
    layer.ffn_norm = Norm(names.ffn_norm, hidden);
    layer.gate = Linear(names.gate, config_.ffn_size, hidden);
    layer.up = Linear(names.up, config_.ffn_size, hidden);
    layer.down = Linear(names.down, hidden, config_.ffn_size);
    if (config_.sub_norms) {
      layer.attn_sub_norm = Norm(names.attn_sub_norm, q_width);
      layer.ffn_sub_norm = Norm(names.ffn_sub_norm, config_.ffn_size);
    }
    return layer;
  }

 private:
  StoredTensor Norm(const char* name, std::size_t size) {
    return TakeNorm(from_, prefix_ + name + ".weight", size);
  }
  LinearSource Linear(const char* name, std::size_t rows, std::size_t cols) {
    const std::string whole = prefix_ + name;
    LinearSource source;
    const bool taken = TryTake(from_, whole + ".", [&] {
      source = from_.take_linear(from_.table, whole, rows, cols);
    });
    if (taken && config_.projection_norms) {
      source.input_norm = TakeNorm(from_, whole + from_.names.input_norm, cols);
    }
    return source;
  }

  const Source& from_;
  const ModelConfig& config_;
  std::string prefix_;
};

// Tells layers of which there is nothing in one line: a file that was cut off,
// or a shard that is missing, lacks dozens.
void TellMissing(const Source& from, std::size_t begin, std::size_t end) {
  const std::string first = std::string(from.names.layers) + "." +
                            std::to_string(begin) + "." + from.names.attn_norm +
                            ".weight";
  from.on_fault(
      Error(ErrorCode::kNotFound,
            from.table.path().string() + ": tensor " + files::Quote(first) +
                " is missing, and so is all of " +
                (end - begin == 1 ? "layer " + std::to_string(begin)
                                  : "layers " + std::to_string(begin) + " to " +
                                        std::to_string(end - 1)) +
                "; fetch the whole model"));
}

}  // namespace

void BindTensors(TensorTable& table, const TensorNames& names,
                 const TakeLinear& take_linear, const OnFault& on_fault,
                 Checkpoint& checkpoint) {
  const ModelConfig& config = checkpoint.config;
  const Source from{table, names, take_linear, on_fault};
  checkpoint.embedding = TakeEmbedding(from, names.embedding, config);
  if (!config.tied_head) {
    checkpoint.head = TakeEmbedding(from, names.head, config);
  }
  checkpoint.output_norm =
      TakeNorm(from, names.output_norm, config.hidden_size);
  // No reserve(num_layers): the number is only believed layer by layer.
  std::size_t present_end = 0;  // of the layers seen so far
  for (std::size_t i = 0; i < config.num_layers; ++i) {
    const std::string prefix =
        std::string(names.layers) + "." + std::to_string(i) + ".";
    if (!table.ContainsAny(prefix)) continue;
    if (i > present_end) TellMissing(from, present_end, i);
    present_end = i + 1;
    checkpoint.layers.push_back(LayerBinder(from, config, prefix).Bind());
  }
  if (present_end < config.num_layers) {
    TellMissing(from, present_end, config.num_layers);
  }
  table.RefuseRest(on_fault);
}

}  // namespace tern::checkpoint
