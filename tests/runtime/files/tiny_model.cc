#include "tests/runtime/files/tiny_model.h"

#include <algorithm>
#include <stdexcept>

namespace tern::test {
namespace {

struct Sizes {
  std::uint64_t hidden, heads, kv_heads, ffn, vocab;
  [[nodiscard]] std::uint64_t kv() const { return hidden / heads * kv_heads; }
};
constexpr Sizes kTiny = {32, 2, 1, 64, 16};
constexpr Sizes kTinyTq2 = {256, 2, 1, 256, 16};

// Bytes whose four 2-bit codes are 0, 1 or 2, different from place to place.
std::string Codes(std::uint64_t bytes) {
  std::string codes;
  std::uint32_t state = 12345;
  for (std::uint64_t i = 0; i < bytes; ++i) {
    unsigned byte = 0;
    for (int j = 0; j < 4; ++j) {
      state = state * 1664525U + 1013904223U;
      byte = byte << 2 | (state >> 16) % 3;
    }
    codes += static_cast<char>(byte);
  }
  return codes;
}

std::string Repeat(const std::string& unit, std::uint64_t times) {
  std::string text;
  for (std::uint64_t i = 0; i < times; ++i) text += unit;
  return text;
}

constexpr std::uint16_t kHalfOne = 0x3c00;        // 1 as f16
constexpr std::uint16_t kBf16One = 0x3f80;        // 1 as bf16
constexpr std::uint16_t kBf16Sixteenth = 0x3d80;  // 1/16 as bf16
constexpr std::uint16_t kHalfSixteenth = 0x2c00;  // 1/16 as f16

GgufTensor Norm(const std::string& name, std::uint64_t size) {
  return {name, {size}, 0, Repeat(Bytes(1.0F), size), {}};
}

GgufTensor I2S(const std::string& name, std::uint64_t cols,
               std::uint64_t rows) {
  return {name,
          {cols, rows},
          36,
          Codes(rows * cols / 4) + Bytes(0.0625F) + std::string(28, '\x77'),
          {}};
}

GgufTensor Tq2(const std::string& name, std::uint64_t cols,
               std::uint64_t rows) {
  return {name,
          {cols, rows},
          35,
          Repeat(Codes(64) + Bytes(kHalfSixteenth), rows * cols / 256),
          {}};
}

GgufParts MakeGguf(const Sizes& sizes, decltype(&I2S) linear) {
  const std::string arch = "bitnet-b1.58.";
  const auto u32 = [](std::uint64_t value) {
    return U32(static_cast<std::uint32_t>(value));
  };
  GgufParts parts;
  parts.keys = {
      {"general.architecture", Text("bitnet-b1.58")},
      {"general.name", Text("tiny")},
      {arch + "vocab_size", u32(sizes.vocab)},
      {arch + "context_length", U32(64)},
      {arch + "embedding_length", u32(sizes.hidden)},
      {arch + "block_count", U32(1)},
      {arch + "feed_forward_length", u32(sizes.ffn)},
      {arch + "rope.dimension_count", u32(sizes.hidden / sizes.heads)},
      {arch + "attention.head_count", u32(sizes.heads)},
      {arch + "attention.head_count_kv", u32(sizes.kv_heads)},
      {arch + "attention.layer_norm_rms_epsilon", F32(1e-5F)},
      {arch + "rope.freq_base", F32(10000)},
      {"tokenizer.ggml.model", Text("gpt2")},
      {"tokenizer.ggml.tokens", Texts({"a", "b", "c"})},
      {"tokenizer.ggml.add_bos_token", Bool(true)},
  };
  parts.tensors = {
      {"token_embd.weight",
       {sizes.hidden, sizes.vocab},
       1,
       Repeat(Bytes(kHalfOne), sizes.hidden * sizes.vocab),
       {}},
      Norm("output_norm.weight", sizes.hidden),
      Norm("blk.0.attn_norm.weight", sizes.hidden),
      Norm("blk.0.attn_sub_norm.weight", sizes.hidden),
      Norm("blk.0.ffn_norm.weight", sizes.hidden),
      Norm("blk.0.ffn_sub_norm.weight", sizes.ffn),
      linear("blk.0.attn_q.weight", sizes.hidden, sizes.hidden),
      linear("blk.0.attn_k.weight", sizes.hidden, sizes.kv()),
      linear("blk.0.attn_v.weight", sizes.hidden, sizes.kv()),
      linear("blk.0.attn_output.weight", sizes.hidden, sizes.hidden),
      linear("blk.0.ffn_gate.weight", sizes.hidden, sizes.ffn),
      linear("blk.0.ffn_up.weight", sizes.hidden, sizes.ffn),
      linear("blk.0.ffn_down.weight", sizes.ffn, sizes.hidden),
  };
  return parts;
}

// Appends structures to a file and keeps their marks.
class Writer {
 public:
  explicit Writer(std::vector<Mark>* marks) : marks_(marks) {}

  void Add(const std::string& structure, const std::string& place,
           const std::string& bytes) {
    if (marks_ != nullptr) marks_->push_back({structure, place, file_.size()});
    file_ += bytes;
  }
  void Pad(std::uint64_t alignment) {
    file_.resize((file_.size() + alignment - 1) / alignment * alignment);
  }
  std::string& file() { return file_; }

 private:
  std::vector<Mark>* marks_;
  std::string file_;
};

void AddKeys(const GgufParts& parts, Writer& writer) {
  std::size_t number = 0;
  for (const GgufKey& key : parts.keys) {
    const std::string place = "key '" + key.name + "'";
    writer.Add("name of " + key.name, "key number " + std::to_string(number++),
               GgufString(key.name));
    writer.Add("type of " + key.name, place, Bytes(key.value.type));
    writer.Add("value of " + key.name, place, key.value.bytes);
  }
}

void AddTable(const GgufParts& parts, Writer& writer) {
  std::uint64_t offset = 0;
  std::size_t number = 0;
  for (const GgufTensor& tensor : parts.tensors) {
    const std::string place = "tensor '" + tensor.name + "'";
    writer.Add("name of " + tensor.name,
               "tensor number " + std::to_string(number++),
               GgufString(tensor.name));
    writer.Add("dimension count of " + tensor.name, place,
               Bytes(static_cast<std::uint32_t>(tensor.dims.size())));
    std::string dims;
    for (const std::uint64_t dim : tensor.dims) dims += Bytes(dim);
    writer.Add("dimensions of " + tensor.name, place, dims);
    writer.Add("type of " + tensor.name, place, Bytes(tensor.type));
    writer.Add("offset of " + tensor.name, place,
               Bytes(tensor.offset.value_or(offset)));
    offset += (tensor.data.size() + parts.alignment - 1) / parts.alignment *
              parts.alignment;
  }
}

template <typename Part>
Part& Find(std::vector<Part>& parts, const std::string& name) {
  const auto found =
      std::find_if(parts.begin(), parts.end(),
                   [&](const Part& part) { return part.name == name; });
  if (found == parts.end()) throw std::runtime_error("no part " + name);
  return *found;
}

template <typename Part>
void Remove(std::vector<Part>& parts, const std::string& name) {
  Find(parts, name);
  std::erase_if(parts, [&](const Part& part) { return part.name == name; });
}

// Linear layers of the tiny Hugging Face model: name, rows, cols.
struct Linear {
  const char* name;
  std::uint64_t rows, cols;
};
constexpr Linear kLinears[] = {
    {"self_attn.q_proj", 32, 32}, {"self_attn.k_proj", 16, 32},
    {"self_attn.v_proj", 16, 32}, {"self_attn.o_proj", 32, 32},
    {"mlp.gate_proj", 64, 32},    {"mlp.up_proj", 64, 32},
    {"mlp.down_proj", 32, 64},
};

SafetensorsParts TinyNorms() {
  const auto ones = [](std::uint64_t count) {
    return Repeat(Bytes(kBf16One), count);
  };
  const std::string layer = "model.layers.0.";
  SafetensorsParts parts;
  parts.tensors = {
      {"model.embed_tokens.weight", "BF16", {16, 32}, ones(512), {}},
      {"model.norm.weight", "BF16", {32}, ones(32), {}},
      {layer + "input_layernorm.weight", "BF16", {32}, ones(32), {}},
      {layer + "self_attn.attn_sub_norm.weight", "BF16", {32}, ones(32), {}},
      {layer + "post_attention_layernorm.weight", "BF16", {32}, ones(32), {}},
      {layer + "mlp.ffn_sub_norm.weight", "BF16", {64}, ones(64), {}},
  };
  return parts;
}

}  // namespace

GgufTyped U32(std::uint32_t value) { return {4, Bytes(value)}; }
GgufTyped F32(float value) { return {6, Bytes(value)}; }
GgufTyped Bool(bool value) { return {7, std::string(1, value ? 1 : 0)}; }
GgufTyped Text(const std::string& value) { return {8, GgufString(value)}; }
GgufTyped Texts(const std::vector<std::string>& values) {
  std::string bytes =
      Bytes(std::uint32_t{8}) + Bytes(std::uint64_t{values.size()});
  for (const std::string& value : values) bytes += GgufString(value);
  return {9, bytes};
}

std::string GgufString(const std::string& text) {
  return Bytes(std::uint64_t{text.size()}) + text;
}

GgufTyped& GgufParts::Key(const std::string& name) {
  return Find(keys, name).value;
}
GgufTensor& GgufParts::Tensor(const std::string& name) {
  return Find(tensors, name);
}
void GgufParts::RemoveKey(const std::string& name) { Remove(keys, name); }
void GgufParts::RemoveTensor(const std::string& name) { Remove(tensors, name); }

std::string Serialize(const GgufParts& parts, std::vector<Mark>* marks) {
  Writer writer(marks);
  writer.Add("magic", "neither a GGUF", parts.magic);
  writer.Add("version", "header", Bytes(parts.version));
  writer.Add("tensor count", "header",
             Bytes(parts.tensor_count.value_or(parts.tensors.size())));
  writer.Add("key count", "header",
             Bytes(parts.key_count.value_or(parts.keys.size())));
  AddKeys(parts, writer);
  AddTable(parts, writer);
  writer.Add("padding after the table", "tensor", "");
  for (const GgufTensor& tensor : parts.tensors) {
    writer.Pad(parts.alignment);
    writer.Add("data of " + tensor.name, "tensor '" + tensor.name + "'",
               tensor.data);
  }
  writer.Pad(parts.alignment);
  return writer.file();
}

GgufParts TinyGguf() { return MakeGguf(kTiny, I2S); }
GgufParts TinyTq2Gguf() { return MakeGguf(kTinyTq2, Tq2); }

SafeTensor& SafetensorsParts::Tensor(const std::string& name) {
  return Find(tensors, name);
}
void SafetensorsParts::Remove(const std::string& name) {
  test::Remove(tensors, name);
}

std::string Serialize(const SafetensorsParts& parts) {
  std::string header = "{\"__metadata__\":{\"format\":\"pt\"}";
  std::string data;
  for (const SafeTensor& tensor : parts.tensors) {
    const auto begin = static_cast<std::int64_t>(data.size());
    data += tensor.data;
    const auto end = static_cast<std::int64_t>(data.size());
    const nlohmann::json entry = {
        {"dtype", tensor.dtype},
        {"shape", tensor.shape},
        {"data_offsets", {begin + tensor.move_begin, end + tensor.move_end}}};
    header += ",\"" + tensor.name + "\":" + tensor.entry.value_or(entry.dump());
  }
  header += parts.more_header + "}";
  header = parts.header.value_or(header);
  return Bytes(parts.header_length.value_or(header.size())) + header + data +
         parts.more_data;
}

SafetensorsParts TinyPacked() {
  SafetensorsParts parts = TinyNorms();
  for (const Linear& linear : kLinears) {
    const std::string name = std::string("model.layers.0.") + linear.name;
    parts.tensors.push_back({name + ".weight",
                             "U8",
                             {linear.rows / 4, linear.cols},
                             Codes(linear.rows / 4 * linear.cols),
                             {}});
    parts.tensors.push_back(
        {name + ".weight_scale", "BF16", {1}, Bytes(kBf16Sixteenth), {}});
  }
  return parts;
}

SafetensorsParts TinyFloats(const std::string& dtype) {
  SafetensorsParts parts = TinyNorms();
  const std::string one = dtype == "F32"   ? Bytes(1.0F)
                          : dtype == "F16" ? Bytes(kHalfOne)
                                           : Bytes(kBf16One);
  for (const Linear& linear : kLinears) {
    parts.tensors.push_back(
        {std::string("model.layers.0.") + linear.name + ".weight",
         dtype,
         {linear.rows, linear.cols},
         Repeat(one, linear.rows * linear.cols),
         {}});
  }
  return parts;
}

nlohmann::json TinyConfig() {
  return nlohmann::json::parse(R"({
    "architectures": ["BitNetForCausalLM"],
    "attention_bias": false,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "hidden_act": "relu2",
    "hidden_size": 32,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
    "model_type": "bitnet",
    "num_attention_heads": 2,
    "num_hidden_layers": 1,
    "num_key_value_heads": 1,
    "rms_norm_eps": 1e-05,
    "rope_theta": 10000.0,
    "tie_word_embeddings": true,
    "torch_dtype": "bfloat16",
    "use_cache": true,
    "vocab_size": 16,
    "quantization_config": {
      "quant_method": "bitnet",
      "linear_class": "autobitlinear",
      "quantization_mode": "offline"
    }
  })");
}

}  // namespace tern::test
