// `tern verify`, and --verify and --mmap of the commands that load a model, as
// a script sees them.
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "runtime/files/gguf.h"
#include "tests/support/subprocess.h"
#include "tests/support/temporary_directory.h"

namespace tern {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::ProgramResult;
using testing::RunProgram;
using Words = std::vector<std::string>;

constexpr const char* kGolden = TERN_SOURCE_DIR "/tests/golden/";
constexpr const char* kI2S =
    TERN_SOURCE_DIR "/tests/golden/zb-bitnet-256.i2_s.gguf";

ProgramResult Tern(const Words& words) {
  return RunProgram(TERN_PROGRAM, words,
                    {.environment = {{"TERN_MODEL", kI2S}}});
}

bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

Words operator+(Words words, const Words& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

// One line on stderr, nothing on stdout.
void ExpectError(const ProgramResult& result, int status,
                 const std::string& part) {
  EXPECT_EQ(result.status, status);
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(result.err.substr(0, 6), "tern: ") << result.err;
  EXPECT_EQ(result.err.find('\n'), result.err.size() - 1) << result.err;
  EXPECT_TRUE(Contains(result.err, part)) << result.err;
}

class VerifyCommand : public ::testing::Test {
 protected:
  VerifyCommand() : t2_((directory_ / "model.gguf").string()) {
    EXPECT_EQ(Tern({"pack", kI2S, t2_}).status, 0);
  }

  // Another code in the middle of the tensor, a valid one.
  std::uint64_t Damage(const std::string& name) {
    const auto tensor = files::ReadGguf(t2_).tensors.at(name);
    std::string bytes = ReadFile(t2_);
    std::uint64_t place = tensor.offset + tensor.bytes / 2;
    while ((bytes[place] & 3) != 0) ++place;
    bytes[place] = static_cast<char>(bytes[place] | 2);
    WriteFile(t2_, bytes);
    return tensor.offset;
  }

  TemporaryDirectory directory_;
  std::string t2_;
};

TEST_F(VerifyCommand, SaysThatASoundFileIs) {
  const ProgramResult result = Tern({"verify", t2_});
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.err, "");
  EXPECT_EQ(result.out, t2_ +
                            ": GGUF v3, T2, 39 tensors of 569 kB, 39 "
                            "checksums: sound\n");
  EXPECT_EQ(Tern({"verify", "-m", t2_, "-t", "1"}).out, result.out);
}

TEST_F(VerifyCommand, TellsWhatItCouldNotFind) {
  const ProgramResult result = Tern({"verify"});  // $TERN_MODEL
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(result.out.find(kI2S), 0U);
  EXPECT_TRUE(Contains(result.out, "no checksums")) << result.out;
  EXPECT_TRUE(result.out.ends_with(": sound\n")) << result.out;
  for (const char* model :
       {"zb-bitnet-256", "zb-bitnet-256/model.safetensors"}) {
    EXPECT_EQ(Tern({"verify", std::string(kGolden) + model}).status, 0)
        << model;
  }
}

TEST_F(VerifyCommand, JsonOfASoundFile) {
  const ProgramResult result = Tern({"verify", "--json", t2_});
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.err, "");
  EXPECT_EQ(json::parse(result.out), json({{"file", t2_},
                                           {"format", "GGUF v3, T2"},
                                           {"tensors", 39},
                                           {"bytes", 569000},
                                           {"checksums", 39},
                                           {"faults", json::array()}}));
}

TEST_F(VerifyCommand, NamesEveryFaultAndFails) {
  const std::uint64_t q = Damage("blk.0.attn_q.weight");
  const std::uint64_t up = Damage("blk.1.ffn_up.weight");
  const ProgramResult text = Tern({"verify", t2_});
  EXPECT_EQ(text.status, 1);
  EXPECT_TRUE(Contains(text.out, "39 checksums: 2 faults\n  " + t2_ +
                                     ": tensor 'blk.0.attn_q.weight': bytes " +
                                     std::to_string(q)))
      << text.out;
  EXPECT_EQ(text.err, "tern: " + t2_ +
                          ": 2 faults found; fetch or convert the model "
                          "again\n");

  const ProgramResult result = Tern({"verify", t2_, "--json"});
  EXPECT_EQ(result.status, 1);
  EXPECT_EQ(result.err, text.err);
  const json faults = json::parse(result.out)["faults"];
  ASSERT_EQ(faults.size(), 2U);
  EXPECT_EQ(faults[0]["file"], t2_);
  EXPECT_EQ(faults[0]["tensor"], "blk.0.attn_q.weight");
  EXPECT_EQ(faults[0]["offset"], q);
  EXPECT_EQ(faults[1]["tensor"], "blk.1.ffn_up.weight");
  EXPECT_EQ(faults[1]["offset"], up);
  for (const json& fault : faults) {
    EXPECT_TRUE(Contains(fault["what"], "checksum")) << fault;
  }
}

TEST_F(VerifyCommand, OfWhatIsInNoTensorThePlaceIsNull) {
  fs::remove(directory_ / "model.gguf");
  fs::copy(std::string(kGolden) + "zb-bitnet-256", directory_ / "model");
  WriteFile(directory_ / "model" / "config.json", "{");
  const ProgramResult result =
      Tern({"verify", "--json", (directory_ / "model").string()});
  EXPECT_EQ(result.status, 1);
  const json report = json::parse(result.out);
  ASSERT_EQ(report["faults"].size(), 1U);
  const json& fault = report["faults"][0];
  EXPECT_EQ(fault["file"], (directory_ / "model" / "config.json").string());
  EXPECT_TRUE(fault["tensor"].is_null());
  EXPECT_TRUE(fault["offset"].is_null());
  EXPECT_EQ(report["tensors"], 38);
}

TEST_F(VerifyCommand, WrongUsageIsNamed) {
  ExpectError(Tern({"verify", "a", "-m", "b"}), 2, "--model");
  ExpectError(Tern({"verify", "a", "b"}), 2, "'b'");
  ExpectError(Tern({"verify", ""}), 2, "PATH: the name is empty");
  ExpectError(Tern({"verify", t2_, "-t", "0"}), 2, "--threads");
  ExpectError(Tern({"verify", "/no/such/file"}), 1, "/no/such/file");
  WriteFile(directory_ / "notes", "no model");
  ExpectError(Tern({"verify", (directory_ / "notes").string()}), 1,
              "neither a GGUF");
}

// --- while loading ---

TEST_F(VerifyCommand, LoadingChecksTheChecksumsIfAsked) {
  const Words run = {"logits", "--tokens", "1,2,3", "-o", "-", "-m"};
  const ProgramResult sound = Tern(run + Words{t2_});
  EXPECT_EQ(Tern(run + Words{t2_, "--verify"}).out, sound.out);
  Damage("blk.1.ffn_up.weight");
  EXPECT_EQ(Tern(run + Words{t2_}).status, 0);
  ExpectError(Tern(run + Words{t2_, "--verify"}), 1,
              t2_ + ": tensor 'blk.1.ffn_up.weight': bytes ");
  ExpectError(Tern(run + Words{kI2S, "--verify"}), 1,
              std::string(kI2S) + ": records no checksums");
}

TEST_F(VerifyCommand, MappedWeightsGiveTheSameLogits) {
  const Words run = {"logits", "--tokens", "1,2,3", "--all", "-o", "-", "-m"};
  const ProgramResult copied = Tern(run + Words{kI2S});
  EXPECT_EQ(copied.status, 0) << copied.err;
  EXPECT_EQ(copied.out.size(), sizeof(float) * 3 * 512);
  for (const Words& options :
       {Words{"--mmap"}, Words{"--mmap", "--verify"}, Words{"--verify"}}) {
    const ProgramResult result = Tern(run + Words{t2_} + options);
    EXPECT_EQ(result.status, 0) << result.err;
    EXPECT_EQ(result.out, copied.out);
  }
}

TEST_F(VerifyCommand, HowMuchIsMappedIsTold) {
  const Words run = {"run", "-p", "abc", "-n", "2", "-m", t2_};
  EXPECT_FALSE(Contains(Tern(run).err, "mapped"));
  const ProgramResult mapped = Tern(run + Words{"--mmap"});
  EXPECT_EQ(mapped.status, 0);
  EXPECT_TRUE(Contains(mapped.err, "; 98 % mapped; ")) << mapped.err;
  const auto mapped_bytes = [&](const Words& words) {
    return json::parse(
        Tern(words + Words{"--json"}).out)["timing"]["mapped_bytes"];
  };
  // Both layers' tiles, and the embedding of 512 x 256 16-bit floats.
  EXPECT_EQ(mapped_bytes(run + Words{"--mmap"}), 2 * 147456 + 262144);
  EXPECT_EQ(mapped_bytes(run), 0);
}

TEST_F(VerifyCommand, EveryCommandThatLoadsHasBothOptions) {
  for (const std::string command :
       {"run", "chat", "logits", "perplexity", "bench"}) {
    const std::string help = Tern({command, "--help"}).out;
    EXPECT_TRUE(Contains(help, "--verify ")) << command;
    EXPECT_TRUE(Contains(help, "--mmap ")) << command;
  }
  for (const char* option : {"--verify", "--mmap"}) {
    ExpectError(Tern({"bench", "--shape", "bitnet-700m", option}), 2,
                std::string(option) + ": is about files");
  }
}

TEST_F(VerifyCommand, BenchTellsWhatIsMapped) {
  const ProgramResult result =
      Tern({"bench", "-m", t2_, "--mmap", "-p", "0", "-n", "2", "-r", "3", "-t",
            "1", "--json"});
  ASSERT_EQ(result.status, 0) << result.err;
  const json entry = json::parse(result.out)[0];
  EXPECT_EQ(entry["mapped_bytes"], 2 * 147456 + 262144);
  EXPECT_GT(entry["weights_bytes"], entry["mapped_bytes"]);
}

}  // namespace
}  // namespace tern
