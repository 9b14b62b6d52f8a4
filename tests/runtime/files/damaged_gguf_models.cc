// Well-formed GGUF files that hold no sound model.
#include "tests/runtime/files/damaged_gguf_cases.h"

namespace tern::test {
namespace {

const std::string kArch = "bitnet-b1.58.";

void AddWeights(DamagedGgufCases& cases) {
  const auto set_i2s = [&](const std::string& mutation, const char* tensor,
                           float scale, const std::string& expected) {
    cases.Add(mutation,
              [&](auto& g) {
                auto& data = g.Tensor(tensor).data;
                data.replace(data.size() - 32, 4, Bytes(scale));
              },
              {Tensor(tensor), expected});
  };
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  for (const char* tensor : {"blk.0.attn_q.weight", "blk.0.attn_k.weight",
                             "blk.0.ffn_down.weight"}) {
    set_i2s(std::string("NaN scale of ") + tensor, tensor, nan, "scale");
    set_i2s(std::string("infinite scale of ") + tensor, tensor, infinity,
            "scale");
    set_i2s(std::string("negative scale of ") + tensor, tensor, -1, "scale");
    for (const std::size_t byte : {0, 31, 100}) {
      cases.Add("code 3 in byte " + std::to_string(byte) + " of " + tensor,
                [&](auto& g) { g.Tensor(tensor).data[byte] |= '\x03'; },
                {Tensor(tensor), "code 3"});
    }
  }
  cases.Add("NaN in the embedding",
            [](auto& g) {
              g.Tensor("token_embd.weight").data.replace(200, 2, "\x00\x7e", 2);
            },
            {Tensor("token_embd.weight"), "element 100 is not a finite"});
  cases.Add(
      "infinity in a norm",
      [&](auto& g) {
        g.Tensor("blk.0.ffn_norm.weight").data.replace(12, 4, Bytes(infinity));
      },
      {Tensor("blk.0.ffn_norm.weight"), "element 3 is not a finite"});
}

void AddTq2(DamagedGgufCases& cases) {
  const std::string q = "blk.0.attn_q.weight";
  const auto set_scale = [&](const std::string& mutation, std::uint16_t half) {
    cases.AddTq2(
        mutation,
        [&](auto& g) { g.Tensor(q).data.replace(66 * 7 + 64, 2, Bytes(half)); },
        {Tensor(q), "scale"});
  };
  set_scale("TQ2_0 block with a NaN scale", 0x7e00);
  set_scale("TQ2_0 block with an infinite scale", 0x7c00);
  set_scale("TQ2_0 block with a negative scale", 0xbc00);
  cases.AddTq2("TQ2_0 block with code 3",
               [&](auto& g) { g.Tensor(q).data[66 * 9 + 3] |= '\x0c'; },
               {Tensor(q), "code 3"});
  cases.AddTq2("TQ2_0 rows that are no whole blocks",
               [&](auto& g) {
                 g.Tensor(q).dims = {128, 512};
               },
               {Tensor(q), "rows of 128 weights as TQ2_0", "row ends"});
  cases.AddTq2("TQ2_0 said to be I2_S", [&](auto& g) { g.Tensor(q).type = 36; },
               {Tensor(q), "I2_S of this shape takes 16416", "16896"});
}

void AddArchitecture(DamagedGgufCases& cases) {
  for (const char* arch : {"gemma3", "mamba", ""}) {
    cases.Add(std::string("architecture '") + arch + "'",
              [&](auto& g) { g.Key("general.architecture") = Text(arch); },
              {Key("general.architecture"), std::string("'") + arch + "'"});
  }
  cases.Add("architecture that is a number",
            [](auto& g) { g.Key("general.architecture") = U32(1); },
            {Key("general.architecture"), "is not a string"});
  for (const char* name :
       {"context_length", "embedding_length", "block_count",
        "feed_forward_length", "attention.head_count",
        "attention.layer_norm_rms_epsilon", "rope.freq_base"}) {
    cases.Add(std::string("without ") + name,
              [&](auto& g) { g.RemoveKey(kArch + name); },
              {Key(kArch + name), "missing"});
  }
  const auto set = [&](const char* name, const GgufTyped& value,
                       const std::string& shown, const char* expected) {
    cases.Add(std::string(name) + " is " + shown,
              [&](auto& g) { g.Key(kArch + name) = value; }, {expected});
  };
  for (const char* name : {"context_length", "embedding_length", "block_count",
                           "feed_forward_length", "attention.head_count",
                           "attention.head_count_kv", "vocab_size"}) {
    const std::string text = name;
    const bool divides =
        text == "embedding_length" || text == "attention.head_count";
    set(name, U32(0), "0",
        text == "attention.head_count" ? "not divisible by 0 heads"
                                       : "which is not within 1 to");
    set(name, {10, Bytes(kHuge)}, "2^64-1",
        divides ? "not divisible by" : "which is not within 1 to");
    set(name, {5, Bytes(-1)}, "-1", name);
    set(name, F32(2), "a float", name);
  }
  cases.Add("hidden size not divisible by heads",
            [](auto& g) { g.Key(kArch + "attention.head_count") = U32(3); },
            {"not divisible by 3 heads"});
  cases.Add("odd head size",
            [](auto& g) {
              g.Key(kArch + "attention.head_count") = U32(32);
              g.Key(kArch + "rope.dimension_count") = U32(1);
            },
            {"the head size is 1"});
  cases.Add("heads that cannot share",
            [](auto& g) {
              g.Key(kArch + "attention.head_count") = U32(8);
              g.Key(kArch + "attention.head_count_kv") = U32(3);
            },
            {"8 heads cannot share 3"});
  set("rope.freq_base", F32(0), "0", "the rotary base");
  set("rope.freq_base", F32(-1), "-1", "the rotary base");
  set("rope.freq_base", F32(std::numeric_limits<float>::quiet_NaN()), "NaN",
      "the rotary base");
  set("attention.layer_norm_rms_epsilon", F32(0), "0", "the epsilon");
  set("block_count", U32(2), "2", "tensor 'blk.1.attn_norm.weight' is missing");
  set("block_count", U32(4096), "4096", "tensor 'blk.1.attn_norm.weight'");
  set("embedding_length", U32(64), "64", "is not the head size, 32");
  cases.Add("embedding length 2^22",
            [](auto& g) {
              g.Key(kArch + "embedding_length") = U32(1 << 22);
              g.Key(kArch + "rope.dimension_count") = U32(1 << 21);
            },
            {Tensor("token_embd.weight"), "[16, 4194304]"});
  set("feed_forward_length", U32(1 << 22), "2^22",
      "tensor 'blk.0.ffn_gate.weight'");
  set("vocab_size", U32(1 << 24), "2^24", "tensor 'token_embd.weight'");
  set("rope.dimension_count", U32(8), "8", "is not the head size, 16");
}

void AddUnknown(DamagedGgufCases& cases) {
  const auto add_key = [&](const std::string& key, const GgufTyped& value) {
    cases.Add("key " + key,
              [&](auto& g) {
                g.keys.push_back({key, value});
              },
              {Key(key)});
  };
  add_key(kArch + "rope.scaling.type", Text("longrope"));
  add_key(kArch + "rope.scaling.factor", F32(2));
  add_key(kArch + "attention.sliding_window", U32(32));
  cases.Add("key length that is not the rotary size",
            [](auto& g) {
              g.keys.push_back({kArch + "attention.key_length", U32(32)});
            },
            {"is not the head size, 32"});
  add_key(kArch + "attention.value_length", U32(32));
  add_key(kArch + "attention.causal", Bool(false));
  add_key(kArch + "expert_count", U32(8));
  add_key(kArch + "hidden_activation", Text("silu"));
  add_key(kArch + "final_logit_softcapping", F32(30));
  add_key("prism.hadamard.version", U32(1));
  add_key("split.count", U32(3));
  add_key("general.type", Text("adapter"));
  add_key("adapter.lora.alpha", F32(1));
  add_key("nonsense", U32(1));
  const auto add_tensor = [&](const char* name) {
    cases.Add(std::string("tensor ") + name,
              [&](auto& g) {
                g.tensors.push_back({name, {1}, 0, Bytes(1.0F), {}});
              },
              {Tensor(name)});
  };
  add_tensor("blk.0.attn_q.scale");
  add_tensor("blk.0.attn_q.bias");
  add_tensor("blk.1.attn_norm.weight");
  add_tensor("rope_freqs.weight");
  add_tensor("output.weight");
  for (const GgufTensor& tensor : TinyGguf().tensors) {
    cases.Add("without " + tensor.name,
              [&](auto& g) { g.RemoveTensor(tensor.name); },
              {Tensor(tensor.name), "missing"});
  }
}

}  // namespace

void AddDamagedGgufModels(DamagedGgufCases& cases) {
  AddWeights(cases);
  AddTq2(cases);
  AddArchitecture(cases);
  AddUnknown(cases);
}

}  // namespace tern::test
