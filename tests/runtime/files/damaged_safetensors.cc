#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "tests/runtime/files/damaged_directories.h"

namespace tern::test {
namespace {

using nlohmann::json;
using Cases = DirectoryCases;

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

}  // namespace tern::test
