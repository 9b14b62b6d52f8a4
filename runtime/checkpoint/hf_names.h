// How Hugging Face files spell architectures and tensors, to read them and to
// write them.
#ifndef TERN_RUNTIME_CHECKPOINT_HF_NAMES_H_
#define TERN_RUNTIME_CHECKPOINT_HF_NAMES_H_

#include <array>

#include "runtime/checkpoint/tensor_table.h"

namespace tern::checkpoint {

// A model type, class and non-linearity of transformers that make one of tern's
// architectures.
struct HfArchitecture {
  const char* model_type;
  const char* model_class;
  const char* activation;
  const char* architecture;
};

// The class of 1bitLLM's models, which comes with the model.
inline constexpr const char* k1BitLlm = "BitnetForCausalLM";

// Of two with one architecture the first is written.
inline constexpr std::array kHfArchitectures = {
    HfArchitecture{"bitnet", "BitNetForCausalLM", "relu2", "bitnet-b1.58"},
    HfArchitecture{"bitnet", "BitNetForCausalLM", "silu", "bitnet"},
    HfArchitecture{"llama", k1BitLlm, "silu", "bitnet"},
    HfArchitecture{"llama", "LlamaForCausalLM", "silu", "llama"},
    HfArchitecture{"qwen3", "Qwen3ForCausalLM", "silu", "qwen3"},
};

inline constexpr TensorNames kHfNames = {
    .embedding = "model.embed_tokens.weight",
    .output_norm = "model.norm.weight",
    .head = "lm_head.weight",
    .layers = "model.layers",
    .attn_norm = "input_layernorm",
    .q = "self_attn.q_proj",
    .k = "self_attn.k_proj",
    .v = "self_attn.v_proj",
    .q_norm = "self_attn.q_norm",
    .k_norm = "self_attn.k_norm",
    .attn_sub_norm = "self_attn.attn_sub_norm",
    .o = "self_attn.o_proj",
    .ffn_norm = "post_attention_layernorm",
    .gate = "mlp.gate_proj",
    .up = "mlp.up_proj",
    .ffn_sub_norm = "mlp.ffn_sub_norm",
    .down = "mlp.down_proj",
    .input_norm = ".rms_norm.weight",
};

}  // namespace tern::checkpoint

#endif  // TERN_RUNTIME_CHECKPOINT_HF_NAMES_H_
