// GGUF files whose container is damaged.
#include "tests/runtime/files/damaged_gguf_cases.h"

namespace tern::test {
namespace {

// The file cut within each of its structures.  Counts are compared with the
// rest of the file when they are read, so the earliest cuts show there.
void AddTruncations(DamagedGgufCases& cases) {
  std::vector<Mark> marks;
  const GgufParts parts = TinyGguf();
  const std::string whole = Serialize(parts, &marks);
  for (std::size_t i = 0; i < marks.size(); ++i) {
    const Mark& mark = marks[i];
    const std::size_t end =
        i + 1 < marks.size() ? marks[i + 1].offset : whole.size();
    const std::size_t cut = mark.offset + (end - mark.offset) / 2;
    std::string place = mark.place;
    if (cut >= 16 && cut < 16 + parts.tensors.size() * 32) {
      place = "tensors are announced";
    } else if (cut >= 24 && cut < 24 + parts.keys.size() * 13) {
      place = "keys are announced";
    } else if (cut < 4) {
      place = "neither a GGUF";
    }
    cases.AddBytes("cut in the " + mark.structure, whole.substr(0, cut),
                   {place});
  }
  cases.AddBytes("empty file", "", {"neither a GGUF"});
  cases.AddBytes("29 bytes missing at the end",
                 whole.substr(0, whole.size() - 29),
                 {Tensor("blk.0.ffn_down.weight"), "ends too early"});
  cases.AddBytes("bytes appended", whole + std::string(64, 'x'),
                 {Tensor("blk.0.ffn_down.weight"), "takes 544 bytes", "608"});
}

void AddHeader(DamagedGgufCases& cases) {
  cases.Add("other magic", [](auto& g) { g.magic = "GGML"; },
            {"neither a GGUF"});
  cases.Add("version 0", [](auto& g) { g.version = 0; },
            {"byte 4", "version 0"});
  cases.Add("version 1", [](auto& g) { g.version = 1; },
            {"byte 4", "version 1", "convert"});
  cases.Add("version 4", [](auto& g) { g.version = 4; },
            {"byte 4", "version 4"});
  cases.Add("big endian", [](auto& g) { g.version = 0x03000000; },
            {"byte 4", "big-endian"});
  for (const std::uint64_t count :
       {kHuge, kHuge / 2, kHuge / 32 + 1, std::uint64_t{1} << 40,
        std::uint64_t{10000}}) {
    const std::string text = std::to_string(count);
    cases.Add("tensor count " + text, [&](auto& g) { g.tensor_count = count; },
              {"byte 8", text + " tensors are announced"});
    cases.Add("key count " + text, [&](auto& g) { g.key_count = count; },
              {"byte 16", text + " keys are announced"});
  }
  cases.Add("one tensor more than there is",
            [](auto& g) { g.tensor_count = g.tensors.size() + 1; },
            {"tensor ''", "0 dimensions"});
  cases.Add("one key more than there is",
            [](auto& g) { g.key_count = g.keys.size() + 1; },
            {"tensor number 0", "bytes of text are announced"});
  cases.Add("no tensors", [](auto& g) { g.tensors.clear(); },
            {Tensor("token_embd.weight"), "missing"});
  cases.Add("no keys", [](auto& g) { g.keys.clear(); },
            {Key("general.architecture"), "missing"});
}

void AddValues(DamagedGgufCases& cases) {
  const auto set = [&](const std::string& mutation, std::uint32_t type,
                       const std::string& bytes, const std::string& expected) {
    cases.Add(mutation,
              [&](auto& g) {
                g.Key("general.name") = {type, bytes};
              },
              {Key("general.name"), expected});
  };
  const auto array = [](std::uint32_t type, std::uint64_t count) {
    return Bytes(type) + Bytes(count);
  };
  set("string of 2^64-1 bytes", 8, Bytes(kHuge), "bytes of text are announced");
  set("string longer than the file", 8, Bytes(std::uint64_t{100000}),
      "100000 bytes of text are announced");
  set("value type 13", 13, Bytes(kHuge), "value type 13 does not exist");
  set("value type 2^32-1", 0xffffffffU, "", "value type 4294967295");
  set("bool that is 2", 7, "\x02", "a bool is 2");
  set("array of arrays", 9, array(9, 1) + array(4, 0), "an array of arrays");
  set("array of type 13", 9, array(13, 1), "element type 13 does not exist");
  set("array of bools that are 7", 9, array(7, 2) + "\x07\x07", "a bool is 7");
  for (std::uint32_t type = 0; type <= 12; ++type) {
    if (type != 9) {
      set("2^61 array elements of type " + std::to_string(type), 9,
          array(type, std::uint64_t{1} << 61), "array elements are announced");
      set("array longer than the file of type " + std::to_string(type), 9,
          array(type, 20000), "20000 array elements are announced");
    }
  }
  set("array of strings, the second too long", 9,
      array(8, 2) + GgufString("a") + Bytes(kHuge),
      "bytes of text are announced");
}

void AddKeys(DamagedGgufCases& cases) {
  cases.AddPatch("key name of 2^64-1 bytes", "name of general.name",
                 Bytes(kHuge), {"key number 1", "bytes of text are announced"});
  cases.AddPatch("key name longer than the file", "name of general.name",
                 Bytes(std::uint64_t{1} << 20),
                 {"key number 1", "1048576 bytes of text are announced"});
  cases.Add("key twice", [](auto& g) { g.keys.push_back(g.keys[1]); },
            {Key("general.name"), "twice"});
  for (const std::uint32_t alignment :
       {0U, 1U, 4U, 31U, 33U, 48U, 2097152U, 2147483648U}) {
    cases.Add("alignment " + std::to_string(alignment),
              [&](auto& g) {
                g.keys.push_back({"general.alignment", U32(alignment)});
              },
              {Key("general.alignment"), std::to_string(alignment)});
  }
  cases.Add("alignment that is a string",
            [](auto& g) {
              g.keys.push_back({"general.alignment", Text("32")});
            },
            {Key("general.alignment"), "is not an integer"});
  cases.Add("negative alignment",
            [](auto& g) {
              g.keys.push_back({"general.alignment", {5, Bytes(-32)}});
            },
            {Key("general.alignment"), "is not an integer"});
  cases.Add("alignment 64 over data aligned to 32",
            [](auto& g) {
              g.keys.push_back({"general.alignment", U32(64)});
            },
            {"is not a multiple of the alignment, 64"});
  cases.Add("key name with a line break",
            [](auto& g) {
              g.keys.push_back({"a\nb", U32(1)});
            },
            {"key 'a\\x0ab'"});
}

void AddTensorTable(DamagedGgufCases& cases) {
  const std::string q = "blk.0.attn_q.weight";
  const auto set = [&](const std::string& mutation, auto mutate,
                       const std::string& expected) {
    cases.Add(mutation, [&](auto& g) { mutate(g.Tensor(q)); },
              {Tensor(q), expected});
  };
  set(
      "no dimensions", [](auto& t) { t.dims = {}; }, "0 dimensions");
  set(
      "5 dimensions",
      [](auto& t) {
        t.dims = {2, 2, 2, 2, 2};
      },
      "5 dimensions");
  set(
      "a dimension of 0",
      [](auto& t) {
        t.dims = {32, 0};
      },
      "a dimension of size 0");
  set(
      "a dimension of 2^64-1",
      [](auto& t) {
        t.dims = {32, kHuge};
      },
      "more elements than the file");
  set(
      "dimensions whose product is 2^64",
      [](auto& t) {
        t.dims = {1ULL << 32, 1ULL << 32};
      },
      "more elements than the file");
  set(
      "dimensions whose product wraps to 1024",
      [](auto& t) {
        t.dims = {1024, (1ULL << 54) + 1};
      },
      "more elements than the file");
  set(
      "twice the rows",
      [](auto& t) {
        t.dims = {32, 64};
      },
      "takes 544 bytes, but the file has 288");
  set(
      "half the rows",
      [](auto& t) {
        t.dims = {32, 16};
      },
      "takes 160 bytes, but the file has 288");
  set(
      "transposed to other sides",
      [](auto& t) {
        t.dims = {16, 64};
      },
      "its shape is [64, 16]");
  set(
      "one dimension", [](auto& t) { t.dims = {1024}; }, "its shape is [1024]");
  set(
      "three dimensions",
      [](auto& t) {
        t.dims = {32, 32, 1};
      },
      "its shape is [1, 32, 32]");
  set(
      "offset off the alignment", [](auto& t) { t.offset = 8; },
      "its offset 8 is not a multiple");
  set(
      "offset off the alignment and past the file",
      [](auto& t) { t.offset = kHuge; }, "is not a multiple");
  const std::string down = "blk.0.ffn_down.weight";  // the last one
  for (const std::uint64_t offset :
       {std::uint64_t{1} << 20, kHuge / 2 + 1, kHuge - 31}) {
    cases.Add("offset " + std::to_string(offset) + " of the last tensor",
              [&](auto& g) { g.Tensor(down).offset = offset; },
              {Tensor("blk.0.ffn_up.weight"), "takes 544 bytes"});
    cases.Add("offset " + std::to_string(offset) + " of the only tensor",
              [&](auto& g) {
                g.tensors.resize(1);
                g.tensors[0].offset = offset;
              },
              {Tensor("token_embd.weight"),
               "begins at byte " + std::to_string(offset) + " of the data"});
  }
  cases.Add("offset inside the embedding",
            [&](auto& g) { g.Tensor(q).offset = 512; },
            {Tensor("token_embd.weight"), "takes 1024 bytes", "has 512"});
  cases.Add("two tensors at one offset",
            [&](auto& g) { g.Tensor(q).offset = 0; },
            {"begins at the same byte of the data, 0"});
  cases.Add("nothing at offset 0",
            [](auto& g) {
              g.tensors.erase(g.tensors.begin());
              g.tensors[0].offset = 32;
            },
            {Tensor("output_norm.weight"), "is the first"});
  cases.Add("tensor twice", [&](auto& g) { g.tensors.push_back(g.Tensor(q)); },
            {Tensor(q), "twice"});
  cases.AddPatch("tensor name of 2^64-1 bytes", "name of " + q, Bytes(kHuge),
                 {"tensor number 6", "bytes of text are announced"});
}

void AddTypes(DamagedGgufCases& cases) {
  const std::string q = "blk.0.attn_q.weight";
  struct Claim {
    std::uint32_t type;
    const char* expected;
  };
  for (const Claim& claim : {
           Claim{0, "F32 of this shape takes 4096 bytes"},
           Claim{1, "F16 of this shape takes 2048 bytes"},
           Claim{30, "BF16 of this shape takes 2048 bytes"},
           Claim{8, "Q8_0 of this shape takes 1088 bytes"},
           Claim{35, "rows of 32 weights as TQ2_0"},
           Claim{2, "Q4_0 of this shape takes 576 bytes"},
           Claim{14, "rows of 32 weights as Q6_K"},
           Claim{24, "type I8 is not read"},
           Claim{34, "rows of 32 weights as TQ1_0"},
           Claim{38, "type TL1 is not read"},
           Claim{39, "type TL2 or MXFP4 is not read"},
           Claim{42, "rows of 32 weights as Q2_0"},
           Claim{134, "rows of 32 weights as IQ1_BN"},
           Claim{135, "rows of 32 weights as IQ2_BN"},
           Claim{142, "rows of 32 weights as PQ2_0"},
           Claim{99, "type 99 is not read"},
           Claim{0xffffffffU, "type 4294967295 is not read"},
       }) {
    cases.Add("linear layer of type " + std::to_string(claim.type),
              [&](auto& g) { g.Tensor(q).type = claim.type; },
              {Tensor(q), claim.expected});
  }
  cases.Add("norm of type F16",
            [](auto& g) { g.Tensor("output_norm.weight").type = 1; },
            {Tensor("output_norm.weight"), "takes 64 bytes", "has 128"});
  cases.Add("norm of type I2_S",
            [](auto& g) {
              auto& norm = g.Tensor("output_norm.weight");
              norm.type = 36;
              norm.data.resize(40);
            },
            {Tensor("output_norm.weight"), "type I2_S is not read here"});
  cases.Add("embedding of type Q4_1",
            [](auto& g) { g.Tensor("token_embd.weight").type = 3; },
            {Tensor("token_embd.weight"), "type Q4_1 is not read here"});
  cases.Add("embedding of type I2_S, too short",
            [](auto& g) {
              auto& embedding = g.Tensor("token_embd.weight");
              embedding.type = 36;
              embedding.data.resize(16 * 32 / 4);
            },
            {Tensor("token_embd.weight"), "I2_S of this shape takes 160"});
  cases.Add("linear layer of type Q8_0",
            [&](auto& g) {
              g.Tensor(q).type = 8;
              g.Tensor(q).data.resize(1088);
            },
            {Tensor(q), "type Q8_0 is not read here"});
}

}  // namespace

void AddDamagedContainers(DamagedGgufCases& cases) {
  AddTruncations(cases);
  AddHeader(cases);
  AddValues(cases);
  AddKeys(cases);
  AddTensorTable(cases);
  AddTypes(cases);
}

std::vector<DamagedModel> DamagedGguf() {
  DamagedGgufCases cases;
  AddDamagedContainers(cases);
  AddDamagedGgufModels(cases);
  return cases.Take();
}

}  // namespace tern::test
