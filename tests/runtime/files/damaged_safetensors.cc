#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "tests/runtime/files/damaged_files.h"
#include "tests/runtime/files/tiny_model.h"

namespace tern::test {
namespace {

using nlohmann::json;

const char* const kName = "model.safetensors";
const char* const kIndex = "model.safetensors.index.json";
const std::string kLayer = "model.layers.0.";
const std::string kQ = kLayer + "self_attn.q_proj.weight";
const std::string kQScale = kQ + "_scale";

std::string Tensor(const std::string& name) { return "tensor '" + name + "'"; }

class Cases {
 public:
  // A directory; `in` is the file that the message names.
  void AddFiles(const std::string& mutation,
                std::map<std::string, std::string> files, const char* in,
                std::vector<std::string> expected) {
    expected.insert(expected.begin(), in);
    files.emplace("config.json", TinyConfig().dump());
    cases_.push_back({mutation, std::move(files), "", std::move(expected)});
  }
  void AddBytes(const std::string& mutation, const std::string& bytes,
                std::vector<std::string> expected) {
    AddFiles(mutation, {{kName, bytes}}, kName, std::move(expected));
  }
  template <typename Mutate>
  void Add(const std::string& mutation, Mutate mutate,
           std::vector<std::string> expected) {
    SafetensorsParts parts = TinyPacked();
    mutate(parts);
    AddBytes(mutation, Serialize(parts), std::move(expected));
  }
  // The good weights under another configuration.
  template <typename Mutate>
  void AddConfig(const std::string& mutation, Mutate mutate,
                 std::vector<std::string> expected,
                 const char* in = "config.json",
                 const SafetensorsParts& parts = TinyPacked()) {
    json config = TinyConfig();
    mutate(config);
    AddFiles(mutation,
             {{"config.json", config.dump()}, {kName, Serialize(parts)}}, in,
             std::move(expected));
  }
  std::vector<DamagedModel> Take() { return std::move(cases_); }

 private:
  std::vector<DamagedModel> cases_;
};

void AddTruncations(Cases& cases) {
  const SafetensorsParts parts = TinyPacked();
  const std::string whole = Serialize(parts);
  std::uint64_t header = 0;
  std::memcpy(&header, whole.data(), 8);
  for (const std::size_t cut : {0, 1, 4, 7}) {
    cases.AddBytes("cut to " + std::to_string(cut) + " bytes",
                   whole.substr(0, cut), {"too short"});
  }
  for (std::size_t cut = 8; cut < 8 + header; cut += header / 8) {
    cases.AddBytes("cut in the header at " + std::to_string(cut),
                   whole.substr(0, cut),
                   {"a header of " + std::to_string(header)});
  }
  // Entries are read by name, so the first name of those cut is complained of.
  std::size_t end = 8 + header;
  std::vector<std::size_t> ends;
  for (const SafeTensor& tensor : parts.tensors) {
    ends.push_back(end += tensor.data.size());
  }
  for (std::size_t i = 0; i < ends.size(); ++i) {
    std::string first = "~";
    for (std::size_t j = i; j < ends.size(); ++j) {
      first = std::min(first, parts.tensors[j].name);
    }
    cases.AddBytes("cut in the data of " + parts.tensors[i].name,
                   whole.substr(0, ends[i] - 1),
                   {Tensor(first), "data_offsets are not a range within"});
  }
  cases.AddBytes("byte appended", whole + "x",
                 {"1 bytes from byte " + std::to_string(whole.size())});
}

void AddHeader(Cases& cases) {
  for (const std::uint64_t length :
       {std::numeric_limits<std::uint64_t>::max(), std::uint64_t{1} << 63,
        std::uint64_t{1} << 32, std::uint64_t{100'000'001},
        std::uint64_t{100'000}}) {
    cases.Add("header length " + std::to_string(length),
              [&](auto& s) { s.header_length = length; },
              {"byte 0", std::to_string(length)});
  }
  cases.Add("header length 0", [](auto& s) { s.header_length = 0; },
            {"byte 8"});
  cases.Add("header length 1", [](auto& s) { s.header_length = 1; },
            {"header", "not valid JSON at byte"});
  cases.Add(
      "header length one short",
      [](auto& s) { s.header_length = Serialize(s).find("\x7d\x7d") - 7; },
      {"header", "not valid JSON at byte"});
  const auto header = [&](const std::string& mutation, const std::string& text,
                          const std::string& expected) {
    cases.Add(mutation, [&](auto& s) { s.header = text; }, {expected});
  };
  header("header that is no JSON", "{]", "not valid JSON at byte 2");
  header("header that is an array", "[]", "byte 8");
  header("header that is text", "hello", "byte 8");
  header("header with a NUL", std::string("{\"a\0\":1}", 9), "not valid JSON");
  header("header that is not UTF-8", "{\"\xff\":1}", "not valid JSON");
  header("header with a number out of range", "{\"a\":1e999}",
         "a number out of range");
  header("header nested 10000 deep", "{\"a\":" + std::string(10000, '['),
         "nested deeper");
  header("header with objects in objects", "{\"a\":{\"b\":{\"c\":{\"d\":{}}}}}",
         "nested deeper");
  header("empty header", "{}", "belong to no tensor");
  std::string zeros = "0";
  for (int i = 0; i < 5000; ++i) zeros += ",0";
  header(
      "shape of 5000 dimensions",
      R"({"a":{"dtype":"U8","shape":[)" + zeros + R"(],"data_offsets":[0,0]}})",
      "array of more than 16");
  cases.Add("tensor twice in the header",
            [](auto& s) { s.tensors.push_back(s.Tensor(kQ)); },
            {"key '" + kQ + "' appears twice"});
}

void AddEntries(Cases& cases) {
  const auto entry = [&](const std::string& mutation, const std::string& text,
                         const std::string& expected) {
    cases.Add(mutation, [&](auto& s) { s.Tensor(kQ).entry = text; },
              {Tensor(kQ), expected});
  };
  const std::string offsets = R"("data_offsets":[0,0])";
  entry("entry that is a number", "1", "is not an object");
  entry("entry without dtype", "{\"shape\":[0]," + offsets + "}",
        "no string 'dtype'");
  entry("entry without shape", "{\"dtype\":\"U8\"," + offsets + "}",
        "no array 'shape'");
  entry("entry without data_offsets", R"({"dtype":"U8","shape":[0]})",
        "no array 'data_offsets'");
  entry("entry with an unknown key",
        R"({"dtype":"U8","shape":[0],"strides":[1],)" + offsets + "}",
        "unknown key 'strides'");
  const auto shape = [&](const std::string& text, const std::string& expected) {
    entry("shape " + text,
          R"({"dtype":"U8","shape":)" + text + "," + offsets + "}", expected);
  };
  shape("[-1]", "is no size");
  shape("[1.5]", "is no size");
  shape("[\"8\"]", "is no size");
  shape("[18446744073709551616]", "is no size");
  shape("[4294967296,4294967296]", "its shape overflows");
  shape("[18446744073709551615]", "need 18446744073709551615");
  shape("{}", "no array 'shape'");
  const auto range = [&](const std::string& text) {
    entry("data_offsets " + text,
          R"({"dtype":"U8","shape":[8,32],"data_offsets":)" + text + "}",
          "data_offsets");
  };
  range("[]");
  range("[0]");
  range("[0,1,2]");
  range("[256,0]");
  range("[-1,255]");
  range("[0,18446744073709551615]");
  range("[18446744073709551615,18446744073709551615]");
  range("[0,1000000]");
  range("[0,255]");
  range("[0,257]");
}

void AddPlaces(Cases& cases) {
  cases.Add(
      "tensor moved onto the one before",
      [](auto& s) { s.Tensor(kQ).move_begin = s.Tensor(kQ).move_end = -2; },
      {Tensor(kQ), "inside"});
  cases.Add(
      "tensor moved away from the one before",
      [](auto& s) { s.Tensor(kQ).move_begin = s.Tensor(kQ).move_end = 2; },
      {Tensor(kQ), "not at the end"});
  cases.Add("two tensors in one place",
            [](auto& s) {
              const auto size =
                  static_cast<std::int64_t>(s.Tensor(kQ).data.size());
              s.Tensor(kQScale).move_begin = -size;
              s.Tensor(kQScale).move_end = -size;
            },
            {"begins at byte", "inside"});
  cases.Add("gap at the end", [](auto& s) { s.more_data = "1234"; },
            {"4 bytes from byte", "belong to no tensor"});
}

void AddTypesAndShapes(Cases& cases) {
  const auto set = [&](const std::string& mutation, const std::string& name,
                       auto mutate, const std::string& expected) {
    cases.Add(mutation, [&](auto& s) { mutate(s.Tensor(name)); },
              {Tensor(name), expected});
  };
  for (const char* dtype : {"F4", "bf16", "", "FLOAT"}) {
    set(
        std::string("dtype '") + dtype + "'", kQ,
        [&](auto& t) { t.dtype = dtype; },
        std::string("dtype '") + dtype + "' is unknown");
  }
  for (const char* dtype : {"I8", "BOOL", "F8_E4M3"}) {
    set(
        std::string("packed weights as ") + dtype, kQ,
        [&](auto& t) { t.dtype = dtype; },
        std::string("type ") + dtype + " is not read");
  }
  for (const char* dtype : {"F32", "F64", "BF16", "I16"}) {
    set(
        std::string("packed weights said to be ") + dtype, kQ,
        [&](auto& t) { t.dtype = dtype; }, "dtype and shape need");
  }
  set(
      "norm as I16", "model.norm.weight", [](auto& t) { t.dtype = "I16"; },
      "type I16 is not read");
  set(
      "embedding as U16", "model.embed_tokens.weight",
      [](auto& t) { t.dtype = "U16"; }, "type U16 is not read");
  set(
      "scale as I16", kQScale, [](auto& t) { t.dtype = "I16"; },
      "type I16 is not read");
  set(
      "scale of two elements", kQScale,
      [](auto& t) {
        t.shape = {2};
        t.data += t.data;
      },
      "its shape is [2]");
  set(
      "scale of no element", kQScale,
      [](auto& t) {
        t.shape = {0};
        t.data = "";
      },
      "its shape is [0]");
  set(
      "packed weights of other sides", kQ,
      [](auto& t) {
        t.shape = {16, 16};
      },
      "its shape is [16, 16]");
  set(
      "packed weights in one dimension", kQ, [](auto& t) { t.shape = {256}; },
      "its shape is [256]");
  set(
      "unpacked rows", kQ,
      [](auto& t) {
        t.shape = {32, 32};
        t.data = std::string(1024, '\x55');
      },
      "its shape is [32, 32], but");
  set(
      "norm of another width", "model.norm.weight",
      [](auto& t) {
        t.shape = {4, 8};
      },
      "its shape is [4, 8]");
  set(
      "scalar norm", "model.norm.weight",
      [](auto& t) {
        t.shape = {};
        t.data.resize(2);
      },
      "its shape is []");
}

void AddWeights(Cases& cases) {
  struct Scale {
    const char* name;
    std::uint16_t bf16;
    const char* expected;
  };
  for (const char* layer : {"self_attn.q_proj", "mlp.down_proj"}) {
    const std::string weight = kLayer + layer + ".weight";
    for (const Scale& scale :
         {Scale{"NaN", 0x7fc0, "is not a finite number"},
          Scale{"infinite", 0x7f80, "is not a finite"},
          Scale{"minus infinite", 0xff80, "is not a fin"},
          Scale{"negative", 0xbd80, "is negative"},
          Scale{"64", 0x4280, "would make every weight"}}) {
      cases.Add(std::string(scale.name) + " scale of " + layer,
                [&](auto& s) {
                  s.Tensor(weight + "_scale").data = Bytes(scale.bf16);
                },
                {Tensor(weight + "_scale"), scale.expected});
    }
    for (const std::size_t byte : {0, 100, 255}) {
      cases.Add("code 3 in byte " + std::to_string(byte) + " of " + layer,
                [&](auto& s) { s.Tensor(weight).data[byte] |= '\x30'; },
                {Tensor(weight), "code 3"});
    }
  }
  cases.Add(
      "NaN in the embedding",
      [](auto& s) {
        s.Tensor("model.embed_tokens.weight").data.replace(20, 2, "\xc0\x7f");
      },
      {Tensor("model.embed_tokens.weight"), "element 10 is not a"});
  cases.Add("infinity in a norm",
            [](auto& s) {
              s.Tensor("model.norm.weight").data.replace(4, 2, "\x80\x7f");
            },
            {Tensor("model.norm.weight"), "element 2 is not a finite"});
}

void AddMissingAndUnknown(Cases& cases) {
  for (const SafeTensor& tensor : TinyPacked().tensors) {
    SafetensorsParts parts = TinyPacked();
    parts.Remove(tensor.name);
    // It is in no file, so the message begins with the directory.
    cases.AddFiles("without " + tensor.name, {{kName, Serialize(parts)}}, "",
                   {Tensor(tensor.name), "missing"});
  }
  for (const char* name :
       {"lm_head.weight", "model.layers.0.self_attn.q_proj.bias",
        "model.layers.0.self_attn.q_proj.rms_norm.weight",
        "model.layers.1.input_layernorm.weight",
        "model.layers.00.input_layernorm.weight", "nonsense"}) {
    cases.Add(std::string("tensor ") + name,
              [&](auto& s) {
                s.tensors.push_back({name, "U8", {1}, "x", {}});
              },
              {Tensor(name)});
  }
}

// Two shards and their index, changed by `mutate(files, index)`.
template <typename Mutate>
void AddShards(Cases& cases, const std::string& mutation, Mutate mutate,
               const char* in, std::vector<std::string> expected) {
  SafetensorsParts first = TinyPacked();
  SafetensorsParts second = first;
  first.tensors.resize(6);
  second.tensors.erase(second.tensors.begin(), second.tensors.begin() + 6);
  json map = json::object();
  for (const auto& t : first.tensors) map[t.name] = "a.safetensors";
  for (const auto& t : second.tensors) map[t.name] = "b.safetensors";
  json index = {{"metadata", {{"total_size", 1}}}, {"weight_map", map}};
  std::map<std::string, std::string> files = {
      {"a.safetensors", Serialize(first)},
      {"b.safetensors", Serialize(second)}};
  mutate(files, index);
  files.emplace(kIndex, index.dump());
  cases.AddFiles(mutation, files, in, std::move(expected));
}

void AddIndex(Cases& cases) {
  const auto shard = [&](const std::string& name) {
    AddShards(cases, "index that names '" + name + "'",
              [&](auto&, auto& i) { i["weight_map"][kQ] = name; }, kIndex,
              {Tensor(kQ), "is not the name of a .safetensors file"});
  };
  shard(kIndex);
  shard(".");
  shard("..");
  shard("");
  shard("../a.safetensors");
  shard("/etc/passwd");
  shard("/a.safetensors");
  shard("sub/a.safetensors");
  shard("sub\\a.safetensors");
  shard(".safetensors");
  shard("..safetensors");
  shard("a.bin");
  shard(std::string("a.safetensors\0/b.safetensors", 28));
  AddShards(cases, "index whose shard is a number",
            [](auto&, auto& i) { i["weight_map"][kQ] = 1; }, kIndex,
            {Tensor(kQ), "'number'"});
  AddShards(cases, "index that names a missing shard",
            [](auto&, auto& i) { i["weight_map"][kQ] = "c.safetensors"; },
            "c.safetensors", {"missing", kIndex});
  AddShards(cases, "shard gone",
            [](auto& f, auto&) { f.erase("b.safetensors"); }, "b.safetensors",
            {"missing", kIndex});
  AddShards(cases, "tensor in another shard than the index says",
            [](auto&, auto& i) {
              i["weight_map"]["model.norm.weight"] = "b.safetensors";
            },
            "a.safetensors", {Tensor("model.norm.weight"), "index says"});
  AddShards(cases, "tensor that the index does not know",
            [](auto&, auto& i) { i["weight_map"].erase(kQ); }, "b.safetensors",
            {Tensor(kQ), "is not in the index"});
  AddShards(cases, "tensor that the shard does not have",
            [](auto&, auto& i) { i["weight_map"]["x"] = "a.safetensors"; },
            "a.safetensors", {Tensor("x"), "is missing"});
  AddShards(cases, "tensor in both shards",
            [](auto& f, auto&) {
              SafetensorsParts both = TinyPacked();
              both.tensors.erase(both.tensors.begin(),
                                 both.tensors.begin() + 5);
              f["b.safetensors"] = Serialize(both);
            },
            "b.safetensors", {"index says that it is in 'a.safetensors'"});
  AddShards(cases, "model.safetensors beside an index of others",
            [](auto& f, auto&) { f[kName] = Serialize(TinyPacked()); }, kName,
            {"beside an index"});
  AddShards(cases, "shard that is cut",
            [](auto& f, auto&) { f["b.safetensors"].resize(500); },
            "b.safetensors", {"a header of"});
  AddShards(cases, "index without weight_map",
            [](auto&, auto& i) { i.erase("weight_map"); }, kIndex,
            {"weight_map"});
  AddShards(cases, "index with an empty weight_map",
            [](auto&, auto& i) { i["weight_map"] = json::object(); }, kIndex,
            {"weight_map"});
  AddShards(cases, "index whose weight_map is a list",
            [](auto&, auto& i) { i["weight_map"] = json::array(); }, kIndex,
            {"weight_map"});
  AddShards(cases, "index that is no JSON",
            [](auto& f, auto&) { f[kIndex] = "{\"weight_map\": "; }, kIndex,
            {"not valid JSON at byte"});
  AddShards(cases, "index with a tensor twice",
            [](auto& f, auto&) {
              f[kIndex] = R"({"weight_map":{"a":"a.safetensors",)"
                          R"("a":"b.safetensors"}})";
            },
            kIndex, {"key 'a' appears twice"});
  cases.AddFiles("no weights", {}, "", {"neither model.safetensors nor"});
}

void AddConfigText(Cases& cases) {
  const std::string weights = Serialize(TinyPacked());
  const auto text = [&](const std::string& mutation, const std::string& bytes,
                        const std::string& expected) {
    cases.AddFiles(mutation, {{"config.json", bytes}, {kName, weights}},
                   "config.json", {expected});
  };
  const std::string good = TinyConfig().dump();
  text("empty config", "", "not valid JSON at byte 1");
  text("config cut in half", good.substr(0, good.size() / 2), "not valid JSON");
  text("config with text behind it", good + "x", "not valid JSON");
  text("config that is an array", "[1]", "a JSON object was expected");
  text("config with a key twice", "{\"vocab_size\":16," + good.substr(1),
       "'vocab_size' appears twice");
  text("config nested 100000 deep", std::string(100000, '['), "nested deeper");
  text("config with a huge number", "{\"rope_theta\":1e400," + good.substr(1),
       "not valid JSON");
  text("config of 2 MB", std::string(2 << 20, ' '), "is it the right file?");
}

void AddConfigValues(Cases& cases) {
  const auto key = [](const std::string& name) { return "key '" + name + "'"; };
  for (const char* name :
       {"model_type", "hidden_act", "hidden_size", "num_hidden_layers",
        "intermediate_size", "num_attention_heads", "num_key_value_heads",
        "vocab_size", "max_position_embeddings", "rope_theta", "rms_norm_eps",
        "tie_word_embeddings"}) {
    cases.AddConfig(std::string("without ") + name,
                    [&](auto& c) { c.erase(name); }, {key(name), "missing"});
    cases.AddConfig(std::string("list as ") + name,
                    [&](auto& c) {
                      c[name] = {1, 2};
                    },
                    {key(name), "is not"});
  }
  for (const char* name :
       {"hidden_size", "num_hidden_layers", "intermediate_size",
        "num_attention_heads", "num_key_value_heads", "vocab_size",
        "max_position_embeddings"}) {
    cases.AddConfig(std::string("negative ") + name,
                    [&](auto& c) { c[name] = -32; }, {key(name), "a size"});
    cases.AddConfig(std::string("fractional ") + name,
                    [&](auto& c) { c[name] = 32.5; }, {key(name), "a size"});
    cases.AddConfig(std::string("zero ") + name, [&](auto& c) { c[name] = 0; },
                    {std::string(name) == "num_attention_heads"
                         ? "not divisible by 0 heads"
                         : "which is not within 1 to"});
    cases.AddConfig(std::string("2^62 as ") + name,
                    [&](auto& c) {
                      c[name] = std::uint64_t{1} << 62;
                      c["head_dim"] = 16;
                    },
                    {"which is not within 1 to"});
  }
  struct Value {
    const char* key;
    json value;
  };
  const std::vector<Value> refused = {
      {"model_type", "llama"},
      {"architectures", {"LlamaForCausalLM"}},
      {"architectures", json::array()},
      {"hidden_act", "silu"},
      {"rope_scaling", {{"type", "linear"}, {"factor", 2}}},
      {"attention_bias", true},
      {"mlp_bias", true},
      {"sliding_window", 4096},
      {"use_sliding_window", true},
      {"layer_types", {"sliding_attention"}},
      {"layer_types", {"full_attention", "full_attention"}},
      {"partial_rotary_factor", 0.5},
      {"final_logit_softcapping", 30},
      {"embedding_multiplier", 12},
      {"num_experts", 8},
      {"is_encoder_decoder", true},
      {"rope_parameters", 1},
      {"nonsense", 1},
  };
  for (const Value& value : refused) {
    cases.AddConfig(std::string(value.key) + " " + value.value.dump(),
                    [&](auto& c) { c[value.key] = value.value; },
                    {key(value.key)});
  }
  cases.AddConfig(
      "rope_parameters of type yarn",
      [](auto& c) {
        c["rope_parameters"] = {{"rope_type", "yarn"}, {"rope_theta", 10000}};
      },
      {key("rope_type"), "yarn"});
  cases.AddConfig("rope_parameters with a factor",
                  [](auto& c) {
                    c["rope_parameters"] = {{"rope_type", "default"},
                                            {"rope_theta", 10000},
                                            {"factor", 2}};
                  },
                  {key("factor")});
  cases.AddConfig("two rotary bases",
                  [](auto& c) {
                    c["rope_parameters"] = {{"rope_type", "default"},
                                            {"rope_theta", 20000}};
                  },
                  {key("rope_theta")});
  cases.AddConfig("negative epsilon", [](auto& c) { c["rms_norm_eps"] = -1; },
                  {"the epsilon"});
  cases.AddConfig("rotary base beyond float32",
                  [](auto& c) { c["rope_theta"] = 1e300; },
                  {"the rotary base"});
  cases.AddConfig(
      "4096 layers", [](auto& c) { c["num_hidden_layers"] = 4096; },
      {Tensor(kLayer.substr(0, 13) + "1.input_layernorm.weight"), "missing"},
      "");
  cases.AddConfig(
      "no layer of one", [](auto& c) { c["vocab_size"] = 1 << 24; },
      {Tensor("model.embed_tokens.weight"), "[16777216, 32]"}, kName);
  cases.AddConfig(
      "untied without a head",
      [](auto& c) { c["tie_word_embeddings"] = false; },
      {Tensor("lm_head.weight"), "missing"}, "");
}

void AddQuantization(Cases& cases) {
  struct Value {
    const char* key;
    json value;
  };
  const std::vector<Value> refused = {
      {"quant_method", "gptq"},
      {"quant_method", nullptr},
      {"linear_class", "otherlinear"},
      {"quantization_mode", "sometimes"},
      {"use_rms_norm", true},
      {"modules_to_not_convert", json::array()},
      {"modules_to_not_convert", {"lm_head", "q_proj"}},
      {"bits", 2},
      {"linear_class", 1},
  };
  for (const Value& value : refused) {
    cases.AddConfig(
        "quantization_config " + std::string(value.key) + " " +
            value.value.dump(),
        [&](auto& c) { c["quantization_config"][value.key] = value.value; },
        {"quantization_config", std::string("key '") + value.key + "'"});
  }
  cases.AddConfig("quantization_config that is a list",
                  [](auto& c) { c["quantization_config"] = json::array(); },
                  {"key 'quantization_config'"});
  cases.AddConfig("bitlinear that is online",
                  [](auto& c) {
                    c["quantization_config"] = {
                        {"quant_method", "bitnet"},
                        {"quantization_mode", "online"}};
                  },
                  {"key 'quantization_mode'"});
  cases.AddConfig(
      "packed weights without quantization_config",
      [](auto& c) { c.erase("quantization_config"); },
      {Tensor(kQ), "does not say that the weights are packed"}, kName);
  cases.AddConfig(
      "packed weights said to be masters",
      [](auto& c) { c["quantization_config"]["quantization_mode"] = "online"; },
      {Tensor(kQ), "type U8 is not read"}, kName);
  cases.AddConfig(
      "float weights said to be packed", [](auto&) {},
      {Tensor(kQ), "type BF16 is not read"}, kName, TinyFloats("BF16"));
  // 1/16 as a divisor makes weights of 16.
  cases.AddConfig(
      "multiplier under the divide rule",
      [](auto& c) { c["quantization_config"].erase("linear_class"); },
      {Tensor(kQScale), "would make every weight"}, kName);
  SafetensorsParts zero = TinyPacked();
  zero.Tensor(kQScale).data = Bytes(std::uint16_t{0});
  cases.AddConfig(
      "divisor of 0",
      [](auto& c) { c["quantization_config"].erase("linear_class"); },
      {Tensor(kQScale), "no finite reciprocal"}, kName, zero);
  SafetensorsParts nan = TinyFloats("F32");
  nan.Tensor(kQ).data.replace(40, 4,
                              Bytes(std::numeric_limits<float>::quiet_NaN()));
  cases.AddConfig(
      "NaN in master weights",
      [](auto& c) { c["quantization_config"]["quantization_mode"] = "online"; },
      {Tensor(kQ), "element 10 is not a finite"}, kName, nan);
  cases.AddConfig(
      "NaN in plain weights", [](auto& c) { c.erase("quantization_config"); },
      {Tensor(kQ), "element 10 is not a finite"}, kName, nan);
}

}  // namespace

std::vector<DamagedModel> DamagedSafetensors() {
  Cases cases;
  AddTruncations(cases);
  AddHeader(cases);
  AddEntries(cases);
  AddPlaces(cases);
  AddTypesAndShapes(cases);
  AddWeights(cases);
  AddMissingAndUnknown(cases);
  AddIndex(cases);
  return cases.Take();
}

std::vector<DamagedModel> DamagedConfigs() {
  Cases cases;
  AddConfigText(cases);
  AddConfigValues(cases);
  AddQuantization(cases);
  return cases.Take();
}

}  // namespace tern::test
