// What makes a file a t2 file, and that its checksums cover every bit of it.
#include "runtime/files/t2_file.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <optional>
#include <sstream>
#include <string>
#include <vector>
#include <xxhash.h>

#include <gtest/gtest.h>

#include <tern/error.h>

#include "packing/tiles.h"
#include "runtime/files/gguf.h"
#include "runtime/files/gguf_writer.h"
#include "tests/runtime/files/tiny_model.h"
#include "tests/support/expect_error.h"
#include "tests/support/temporary_directory.h"

namespace tern::files {
namespace {

namespace fs = std::filesystem;
using Bytes = std::vector<std::uint8_t>;

Checksum SumOf(const std::string& bytes) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return {hash.low64, hash.high64};
}

Bytes Counting(std::size_t size) {
  Bytes bytes(size);
  std::iota(bytes.begin(), bytes.end(), std::uint8_t{1});
  return bytes;
}

// Three tensors, the first and the last of which end within 64 bytes.
void WriteT2(const fs::path& path) {
  GgufWriter writer(path, true,
                    {{"general.architecture", std::string("none")},
                     {"some.numbers", std::vector<std::uint64_t>{1, 2, 3}}},
                    {{"norm", StoredType::kF32, {3}},
                     {"a.weight", StoredType::kT2, {2, 6}},
                     {"a.scales", StoredType::kF32, {1}}},
                    GgufForm::kT2);
  writer.Write(Counting(12));
  writer.Write(Bytes(packing::TilesBytes(2, 6), 0x55));
  writer.Write(Counting(4));
  const std::uint64_t size = writer.Finish();
  EXPECT_EQ(size, fs::file_size(path));
  EXPECT_EQ(writer.tensor_count(), 4U);
}

// The first Error of reading the file and comparing all its checksums.
std::optional<Error> FirstError(const fs::path& path) {
  try {
    const GgufFile file = ReadGguf(path);
    const T2Checksums checksums(file);
    for (std::size_t i = 0; i < checksums.size(); ++i) checksums.Check(i);
  } catch (const Error& error) {
    return error;
  }
  return std::nullopt;
}

TEST(Checksum, IsXxh3Of128Bits) {
  // Of nothing, and of "a": the values that other programs give.
  EXPECT_EQ(Hasher().Sum(), (Checksum{0x6001c324468d497f, 0x99aa06d3014798d8}));
  Hasher a;
  a.Add(Bytes{'a'});
  EXPECT_EQ(a.Sum(), (Checksum{0xe6c632b61e964e1f, 0xa96faf705af16834}));
}

TEST(Checksum, PiecesMakeNoDifference) {
  const TemporaryDirectory directory;
  const Bytes bytes = Counting(600'000);
  const std::string text(bytes.begin(), bytes.end());
  WriteFile(directory / "a", text);
  const InputFile file(directory / "a");
  Hasher whole;
  AddRange(file, 0, bytes.size(), whole);
  EXPECT_EQ(whole.Sum(), SumOf(text));
  Hasher pieces;
  AddRange(file, 0, 0, pieces);
  AddRange(file, 0, 1, pieces);
  AddRange(file, 1, 300'000, pieces);
  pieces.Add({});
  AddRange(file, 300'000, bytes.size(), pieces);
  EXPECT_EQ(pieces.Sum(), SumOf(text));
}

// The bytes of the block ```name of packing/README.md.
std::string Example(const std::string& name) {
  std::ifstream page(std::string(TERN_SOURCE_DIR) + "/packing/README.md");
  std::string line;
  while (std::getline(page, line) && line != "```" + name) {
  }
  EXPECT_TRUE(page.good()) << "no example " << name;
  std::string bytes;
  while (std::getline(page, line) && line != "```") {
    std::istringstream words(line);
    unsigned byte = 0;
    while (words >> std::hex >> byte) bytes += static_cast<char>(byte);
  }
  return bytes;
}

TEST(T2File, IsWhatItsDescriptionShows) {
  const TemporaryDirectory directory;
  GgufWriter writer(directory / "a.gguf", false, {},
                    {{"w.weight", StoredType::kT2, {2, 6}},
                     {"w.scales", StoredType::kF32, {1}}},
                    GgufForm::kT2);
  std::string tiles(512, 0x55);
  const std::string shown = Example("tiles");
  ASSERT_EQ(shown.size(), 12U);
  for (std::size_t tile = 0; tile < 3; ++tile) {
    tiles.replace(64 * tile, 4, shown, 4 * tile, 4);
  }
  const std::string scale = Example("t2_scales");
  writer.Write(Bytes(tiles.begin(), tiles.end()));
  writer.Write(Bytes(scale.begin(), scale.end()));
  writer.Finish();
  const std::string zeros(60, 0);
  EXPECT_EQ(ReadFile(directory / "a.gguf"),
            Example("t2_header") + zeros.substr(0, 26) + tiles + scale + zeros +
                Example("t2_checksums"));
}

// The description's words, one by one.
TEST(T2File, HoldsWhatItsDescriptionSays) {
  const TemporaryDirectory directory;
  WriteT2(directory / "a.gguf");
  const std::string bytes = ReadFile(directory / "a.gguf");
  const GgufFile file = ReadGguf(directory / "a.gguf");
  EXPECT_TRUE(IsT2(file));
  EXPECT_EQ(file.Unsigned("tern.t2.version"), 1U);
  EXPECT_EQ(file.Unsigned("general.alignment"), 64U);
  std::vector<StoredTensor> tensors;
  for (const char* name : {"norm", "a.weight", "a.scales", "tern.checksums"}) {
    tensors.push_back(file.tensors.at(name));
    EXPECT_EQ(tensors.back().offset % 64, 0U) << name;
  }
  ASSERT_EQ(file.tensors.size(), tensors.size());
  EXPECT_EQ(tensors.back().shape, (std::vector<std::uint64_t>{4, 2}));
  ASSERT_EQ(tensors.back().offset + 64, bytes.size());

  std::string rest;
  std::size_t end = 0;
  std::vector<Checksum> expected;
  for (std::size_t i = 0; i < 3; ++i) {
    rest += bytes.substr(end, tensors[i].offset - end);
    end = tensors[i].offset + tensors[i].bytes;
    expected.push_back(
        SumOf(bytes.substr(tensors[i].offset, tensors[i].bytes)));
  }
  rest += bytes.substr(end, bytes.size() - 16 - end);
  expected.push_back(SumOf(rest));
  for (std::size_t i = 0; i < 4; ++i) {
    Checksum stored;
    std::memcpy(&stored.low, &bytes[tensors.back().offset + 16 * i], 8);
    std::memcpy(&stored.high, &bytes[tensors.back().offset + 16 * i + 8], 8);
    EXPECT_EQ(stored, expected[i]) << i;
  }
}

TEST(T2File, EveryBitThatFlipsIsFound) {
  const TemporaryDirectory directory;
  const fs::path path = directory / "a.gguf";
  WriteT2(path);
  ASSERT_FALSE(FirstError(path));
  const std::string sound = ReadFile(path);
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  for (std::size_t bit = 0; bit < 8 * sound.size(); ++bit) {
    const char byte = sound[bit / 8];
    const auto put = [&](char value) {
      file.seekp(static_cast<std::streamoff>(bit / 8));
      file.put(value).flush();
    };
    put(static_cast<char>(byte ^ (1 << (bit % 8))));
    ASSERT_TRUE(FirstError(path)) << "byte " << bit / 8 << ", bit " << bit % 8;
    put(byte);
  }
  EXPECT_FALSE(FirstError(path));
}

TEST(T2File, ATornEndIsFound) {
  const TemporaryDirectory directory;
  const fs::path path = directory / "a.gguf";
  WriteT2(path);
  const std::string sound = ReadFile(path);
  for (std::size_t size = sound.size() - 1; size >= 4; --size) {
    fs::resize_file(path, size);
    ASSERT_TRUE(FirstError(path)) << size;
  }
  for (const std::size_t more : {1, 15, 16, 63, 64, 1000}) {
    WriteFile(path, sound + std::string(more, '\0'));
    ASSERT_TRUE(FirstError(path)) << more;
  }
}

TEST(T2File, TheDamagedTensorAloneIsNamed) {
  const TemporaryDirectory directory;
  const fs::path path = directory / "a.gguf";
  WriteT2(path);
  const std::uint64_t offset = ReadGguf(path).tensors.at("a.weight").offset;
  std::string bytes = ReadFile(path);
  bytes[offset + 70] = 0x56;  // a valid code
  WriteFile(path, bytes);
  const GgufFile file = ReadGguf(path);
  const T2Checksums checksums(file);
  ASSERT_EQ(checksums.size(), 4U);
  for (std::size_t i = 0; i < checksums.size(); ++i) {
    if (checksums.Tensor(i).name != "a.weight") {
      checksums.Check(i);
      continue;
    }
    ExpectError(
        ErrorCode::kMalformed,
        {path.string() + ": tensor 'a.weight': bytes " +
             std::to_string(offset) + " to " + std::to_string(offset + 511),
         "checksum"},
        [&] { checksums.Check(i); });
  }
  EXPECT_EQ(FirstError(path)->offset(), offset);
}

// Of padding, keys, names: no tensor.
TEST(T2File, DamageBetweenTheTensorsIsToldAsSuch) {
  const TemporaryDirectory directory;
  const fs::path path = directory / "a.gguf";
  WriteT2(path);
  std::string bytes = ReadFile(path);
  bytes[ReadGguf(path).tensors.at("norm").offset + 20] = 1;
  WriteFile(path, bytes);
  const std::optional<Error> error = FirstError(path);
  ASSERT_TRUE(error);
  EXPECT_NE(std::string(error->what()).find("padding"), std::string::npos)
      << error->what();
}

TEST(T2File, OtherFilesRecordNoChecksums) {
  const TemporaryDirectory directory;
  WriteFile(directory / "a.gguf", Serialize(test::TinyGguf()));
  const GgufFile file = ReadGguf(directory / "a.gguf");
  EXPECT_FALSE(IsT2(file));
  ExpectError(ErrorCode::kUnsupported, {"records no checksums", "tern verify"},
              [&] { const T2Checksums checksums(file); });
}

TEST(T2File, TheWriterKeepsItsOwnKeysForItself) {
  const TemporaryDirectory directory;
  for (const char* key : {"tern.t2.version", "general.alignment"}) {
    ExpectError(ErrorCode::kInvalidArgument, {key, "is the writer's"},
                [&, key] {
                  const GgufWriter writer(directory / "a.gguf", false,
                                          {{key, std::uint64_t{64}}}, {},
                                          GgufForm::kT2);
                });
  }
  ExpectError(ErrorCode::kInvalidArgument, {"tern.checksums", "twice"}, [&] {
    const GgufWriter writer(directory / "a.gguf", false, {},
                            {{"tern.checksums", StoredType::kF32, {4}}},
                            GgufForm::kT2);
  });
}

// --- what is almost a t2 file ---

constexpr std::uint32_t kT2Number = 29746;
constexpr std::uint32_t kI64Number = 27;

// A norm, a matrix of T2 and what a t2 file has beside; nobody reads the sums.
test::GgufParts Parts() {
  test::GgufParts parts;
  parts.alignment = 64;
  parts.keys = {{"general.alignment", test::U32(64)},
                {"tern.t2.version", test::U32(1)}};
  parts.tensors = {
      {"norm", {16}, 0, std::string(64, '\x11'), {}},
      {"a.weight", {6, 2}, kT2Number, std::string(512, '\x55'), {}},
      {"tern.checksums", {2, 3}, kI64Number, std::string(48, '\x22'), {}}};
  return parts;
}

void ExpectRefused(const test::GgufParts& parts, ErrorCode code,
                   std::initializer_list<std::string> words) {
  const TemporaryDirectory directory;
  std::string bytes = Serialize(parts);
  // The last tensor of a t2 file has no padding.
  const std::uint64_t over = parts.tensors.back().data.size() % parts.alignment;
  if (over != 0) bytes.resize(bytes.size() - (parts.alignment - over));
  WriteFile(directory / "a.gguf", bytes);
  ExpectError(code, words, [&] { (void)ReadGguf(directory / "a.gguf"); });
}

TEST(T2File, ThePartsTogetherAreRead) {
  const TemporaryDirectory directory;
  std::string bytes = Serialize(Parts());
  bytes.resize(bytes.size() - 16);
  WriteFile(directory / "a.gguf", bytes);
  EXPECT_EQ(ReadGguf(directory / "a.gguf").tensors.at("a.weight").type,
            StoredType::kT2);
}

TEST(T2File, RefusesOtherVersions) {
  test::GgufParts parts = Parts();
  for (const std::uint32_t version : {0U, 2U, 4294967295U}) {
    parts.Key("tern.t2.version") = test::U32(version);
    ExpectRefused(parts, ErrorCode::kUnsupported,
                  {"key 'tern.t2.version'",
                   "version " + std::to_string(version) + " of the t2 format",
                   "reads version 1"});
  }
  parts.Key("tern.t2.version") = test::Text("1");
  ExpectRefused(parts, ErrorCode::kMalformed, {"tern.t2.version"});
}

TEST(T2File, RefusesAnotherAlignment) {
  test::GgufParts parts = Parts();
  parts.alignment = 128;
  parts.Key("general.alignment") = test::U32(128);
  ExpectRefused(parts, ErrorCode::kMalformed, {"general.alignment", "is 128"});
}

TEST(T2File, RefusesPartsWithoutTheKey) {
  test::GgufParts parts = Parts();
  parts.RemoveKey("tern.t2.version");
  ExpectRefused(parts, ErrorCode::kMalformed,
                {"'a.weight'", "no key 'tern.t2.version'"});
  parts.RemoveTensor("a.weight");
  parts.Tensor("tern.checksums").dims = {2, 2};
  parts.Tensor("tern.checksums").data.resize(32);
  ExpectRefused(parts, ErrorCode::kMalformed,
                {"'tern.checksums'", "no key 'tern.t2.version'"});
}

TEST(T2File, RefusesChecksumsThatAreNotThose) {
  test::GgufParts parts = Parts();
  parts.RemoveTensor("tern.checksums");
  ExpectRefused(parts, ErrorCode::kMalformed, {"'tern.checksums' is missing"});
  parts = Parts();
  parts.Tensor("tern.checksums").type = 28;  // F64
  ExpectRefused(parts, ErrorCode::kMalformed, {"is not I64 of shape 3 x 2"});
  parts = Parts();
  parts.Tensor("tern.checksums").dims = {3, 2};
  ExpectRefused(parts, ErrorCode::kMalformed, {"is not I64 of shape 3 x 2"});
  parts.Tensor("tern.checksums").dims = {2, 2};
  parts.Tensor("tern.checksums").data.resize(32);
  ExpectRefused(parts, ErrorCode::kMalformed, {"is not I64 of shape 3 x 2"});
  parts = Parts();
  std::swap(parts.tensors[1], parts.tensors[2]);
  ExpectRefused(parts, ErrorCode::kMalformed,
                {"'tern.checksums'", "is not what the file ends with"});
}

}  // namespace
}  // namespace tern::files
