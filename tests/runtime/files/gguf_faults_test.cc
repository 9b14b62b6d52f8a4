// Of a file with several faults, a reader that goes on tells all of them and
// lists all tensors; one that does not throws the first.
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "runtime/files/gguf.h"
#include "tests/runtime/files/damaged_files.h"
#include "tests/runtime/files/error_of.h"
#include "tests/runtime/files/temporary_directory.h"
#include "tests/runtime/files/tiny_model.h"

namespace tern::files {
namespace {

using test::ErrorOf;
using test::GgufParts;
using test::TemporaryDirectory;
using test::TinyGguf;

struct Outcome {
  GgufFile file;
  std::vector<std::string> faults;
};

class GgufFaultsTest : public testing::Test {
 protected:
  Outcome ReadBytes(const std::string& bytes) {
    const auto path = directory_.Write("x.gguf", bytes);
    FaultList list;
    Outcome outcome{ReadGguf(path, list.Sink()), {}};
    for (const Error& fault : list.faults()) {
      outcome.faults.emplace_back(fault.what());
    }
    const std::string first = ErrorOf([&] { (void)ReadGguf(path); }).message;
    EXPECT_EQ(outcome.faults.empty() ? "" : outcome.faults.front(), first);
    return outcome;
  }
  Outcome Read(const GgufParts& parts) { return ReadBytes(Serialize(parts)); }

  TemporaryDirectory directory_;
};

void ExpectFaults(const Outcome& outcome,
                  const std::vector<std::string>& expected) {
  ASSERT_EQ(outcome.faults.size(), expected.size())
      << testing::PrintToString(outcome.faults);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_NE(outcome.faults[i].find(expected[i]), std::string::npos)
        << "'" << expected[i] << "' not in: " << outcome.faults[i];
  }
}

TEST_F(GgufFaultsTest, ASoundFileHasNone) {
  const Outcome outcome = Read(TinyGguf());
  ExpectFaults(outcome, {});
  EXPECT_EQ(outcome.file.tensors.size(), TinyGguf().tensors.size());
  const GgufClaim& claim = outcome.file.claims.at("blk.0.attn_q.weight");
  EXPECT_EQ(claim.type_number, 36U);
  EXPECT_EQ(claim.room, 288U);
}

TEST_F(GgufFaultsTest, EveryTensorOfTheWrongSizeIsToldAndListed) {
  GgufParts parts = TinyGguf();
  parts.Tensor("blk.0.attn_q.weight").dims = {32, 64};
  parts.Tensor("blk.0.attn_k.weight").type = 35;  // rows of 32 as TQ2_0
  parts.Tensor("output_norm.weight").type = 1;
  parts.Tensor("blk.0.ffn_up.weight").type = 99;  // unknown: not a fault here
  const Outcome outcome = Read(parts);
  ASSERT_EQ(outcome.faults.size(), 3U);
  EXPECT_EQ(outcome.file.tensors.size(), parts.tensors.size());
  for (const auto& [name, tensor] : outcome.file.tensors) {
    const bool expected = name == "blk.0.attn_q.weight" ||
                          name == "blk.0.attn_k.weight" ||
                          name == "output_norm.weight";
    EXPECT_EQ(tensor.has_fault, expected) << name;
    EXPECT_EQ(tensor.type == StoredType::kOther,
              expected || name == "blk.0.ffn_up.weight")
        << name;
  }
  EXPECT_EQ(outcome.file.tensors.at("blk.0.attn_q.weight").bytes, 288U);
}

TEST_F(GgufFaultsTest, ShapesThatNoFileHoldsAreListedWithoutAType) {
  GgufParts parts = TinyGguf();
  parts.Tensor("blk.0.attn_q.weight").dims = {32, 0};
  parts.Tensor("blk.0.attn_v.weight").dims = {
      32, std::numeric_limits<std::uint64_t>::max()};
  const Outcome outcome = Read(parts);
  ExpectFaults(outcome, {"a dimension of size 0", "more elements than"});
  EXPECT_EQ(outcome.file.tensors.size(), parts.tensors.size());
  EXPECT_FALSE(outcome.file.claims.at("blk.0.attn_q.weight").has_shape);
}

TEST_F(GgufFaultsTest, OverlapsOffsetsAndDoublesAreAllTold) {
  GgufParts parts = TinyGguf();
  parts.Tensor("blk.0.attn_q.weight").offset = 0;  // where the embedding is
  parts.tensors.push_back(parts.Tensor("blk.0.attn_v.weight"));
  parts.keys.push_back(parts.keys.front());
  const Outcome outcome = Read(parts);
  const auto told = [&](const std::string& words) {
    for (const std::string& fault : outcome.faults) {
      if (fault.find(words) != std::string::npos) return true;
    }
    return false;
  };
  EXPECT_TRUE(told("key 'general.architecture': appears twice"));
  EXPECT_TRUE(told("begins at the same byte of the data, 0"));
  EXPECT_TRUE(told("tensor 'blk.0.attn_v.weight': appears twice"));
}

TEST_F(GgufFaultsTest, AFileCutOffInItsDataTellsOnceHowManyTensorsAreGone) {
  const GgufParts parts = TinyGguf();
  const std::string whole = Serialize(parts);
  const Outcome outcome = ReadBytes(whole.substr(0, whole.size() - 2000));
  ASSERT_GE(outcome.faults.size(), 2U);
  EXPECT_NE(outcome.faults[0].find("ends too early"), std::string::npos);
  EXPECT_NE(outcome.faults[1].find("more tensors"), std::string::npos);
  EXPECT_EQ(outcome.file.tensors.size(), parts.tensors.size());
  EXPECT_EQ(outcome.file.tensors.at("blk.0.ffn_down.weight").bytes, 0U);
}

TEST_F(GgufFaultsTest, ATableCutOffIsReadUpToTheCut) {
  std::vector<test::Mark> marks;
  const std::string whole = Serialize(TinyGguf(), &marks);
  for (const test::Mark& mark : marks) {
    if (mark.structure != "name of blk.0.ffn_gate.weight") continue;
    // A table of a truncated file would be refused by its count alone.
    std::string bytes = whole.substr(0, mark.offset) + std::string(600, '\xff');
    const Outcome outcome = ReadBytes(bytes);
    EXPECT_EQ(outcome.faults.size(), 1U);
    EXPECT_GT(outcome.file.tensors.size(), 3U);
    EXPECT_EQ(outcome.file.tensors.at("token_embd.weight").bytes, 0U);
    EXPECT_FALSE(outcome.file.metadata.empty());
    return;
  }
  FAIL() << "no such mark";
}

// Whatever a file holds, going on ends, and never throws.
TEST_F(GgufFaultsTest, EveryDamagedFileIsReadToItsEnd) {
  for (const test::DamagedModel& model : test::DamagedGguf()) {
    SCOPED_TRACE(model.mutation);
    ReadBytes(model.files.at("model.gguf"));
  }
}

}  // namespace
}  // namespace tern::files
