// Every model and GGUF file of the reference folder is opened or refused as it
// should be, and files of the same weights give the same weights.
#include <filesystem>
#include <map>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include <tern/error.h>

#include "runtime/checkpoint/checkpoint.h"
#include "tests/runtime/checkpoint/compare.h"

namespace tern::checkpoint {
namespace {

namespace fs = std::filesystem;

const fs::path kReference = TERN_REFERENCE_DIR;

// "" if the model is read to its end, otherwise the complaint.
std::string Complaint(const fs::path& path) {
  try {
    const Checkpoint model = Open(path);
    for (const LinearSource* linear : Linears(model)) {
      if (linear->kind != LinearKind::kDense) (void)ReadLinear(*linear);
    }
    for (const auto* norm : Norms(model)) (void)Floats(*norm);
    (void)Floats(model.embedding.weight);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

// Path below the reference folder -> part of the complaint, "" for none.
const std::map<std::string, std::string>& Expected() {
  static const std::map<std::string, std::string> expected = {
      {"models/books-14m-packed", ""},
      {"models/books-14m-master", ""},
      {"models/books-14m-fp16", ""},
      {"models/books-79m-packed", ""},
      {"models/zoo/z1-bitnet-2b4t-packed", ""},
      {"models/zoo/z1m-bitnet-2b4t-master", ""},
      {"models/zoo/z2-llama-bitlinear", ""},
      {"models/zoo/z3-trilm-unpacked", ""},
      {"models/zoo/z4-falcon-e-offline", ""},
      {"models/zoo/z4c-falcon-e-bitlinear", ""},
      {"gguf/zb-bitnet-256", ""},
      {"gguf/zl-llama-256", ""},
      {"gguf/books-14m.i2_s.gguf", ""},
      {"gguf/books-14m.published-metadata.i2_s.gguf", ""},
      {"gguf/books-79m.tq2_0.gguf", ""},
      {"gguf/zb-bitnet-256.i2_s.gguf", ""},
      {"gguf/zb-bitnet-256.f16.gguf", ""},
      {"gguf/zb-bitnet-256.tq1_0.gguf", ""},
      {"gguf/zb-bitnet-256.iq2_bn.gguf", ""},
      {"gguf/zb-bitnet-256.archbitnet.scale-tensors.tq2_0.gguf", ""},
      {"gguf/zb-bitnet-256.CORRUPT-2threads.i2_s.gguf",
       "but the file has 16512 for it; either a quantiser with several "
       "threads"},
      {"gguf/z1-bitnet-2b4t-packed.K640-UNSOUND.tq2_0.gguf",
       "'blk.0.ffn_down.weight': rows of 640 weights as TQ2_0"},
      // Its blocks run over the ends of rows, but the codes are right.
      {"gguf/z2-llama-bitlinear.K192-UNSOUND.i2_s.gguf", ""},
      {"gguf/zl-llama-256.f32.gguf", ""},
      {"gguf/zl-llama-256.i2_s.gguf", ""},
      {"gguf/zl-llama-256.tq2_0.gguf", ""},
      {"gguf/zl-llama-256.iq1_bn.gguf", ""},
  };
  return expected;
}

TEST(ReferenceFiles, AreReadOrRefusedAsExpected) {
  for (const auto& [path, expected] : Expected()) {
    const std::string complaint = Complaint(kReference / path);
    if (expected.empty()) {
      EXPECT_EQ(complaint, "");
    } else {
      EXPECT_NE(complaint.find(expected), std::string::npos)
          << path << ": " << complaint;
      EXPECT_EQ(complaint.find((kReference / path).string()), 0U);
    }
  }
}

TEST(ReferenceFiles, AreAllListedAbove) {
  std::set<std::string> found;
  for (const char* folder : {"models", "models/zoo", "gguf"}) {
    for (const auto& entry : fs::directory_iterator(kReference / folder)) {
      if (fs::exists(entry.path() / "config.json") ||
          entry.path().extension() == ".gguf") {
        found.insert((fs::path(folder) / entry.path().filename()).string());
      }
    }
  }
  for (const std::string& path : found) {
    EXPECT_TRUE(Expected().contains(path)) << path;
  }
  EXPECT_EQ(found.size(), Expected().size());
}

TEST(ReferenceFiles, GgufHoldsTheWeightsOfItsSource) {
  const std::map<std::string, std::string> sources = {
      {"gguf/books-14m.i2_s.gguf", "models/books-14m-packed"},
      {"gguf/books-14m.published-metadata.i2_s.gguf",
       "models/books-14m-packed"},
      {"gguf/books-79m.tq2_0.gguf", "models/books-79m-packed"},
      {"gguf/zb-bitnet-256.i2_s.gguf", "gguf/zb-bitnet-256"},
  };
  for (const auto& [gguf, source] : sources) {
    SCOPED_TRACE(gguf);
    ExpectSameWeights(Open(kReference / gguf), Open(kReference / source));
  }
}

// The scale in the packed form is the master's, rounded to bf16.
TEST(ReferenceFiles, MasterWeightsGiveThePackedCodes) {
  const Checkpoint master = Open(kReference / "models/books-14m-master");
  const Checkpoint packed = Open(kReference / "models/books-14m-packed");
  const auto a = Linears(master);
  const auto b = Linears(packed);
  ASSERT_EQ(a.size(), 56U);
  ASSERT_EQ(b.size(), 56U);
  for (std::size_t i = 0; i < a.size(); ++i) {
    const auto from_master = ReadLinear(*a[i]);
    const auto from_packed = ReadLinear(*b[i]);
    EXPECT_EQ(from_master.codes, from_packed.codes) << a[i]->weight.name;
    ASSERT_EQ(from_master.scales.size(), 1U);
    ASSERT_EQ(from_packed.scales.size(), 1U);
    EXPECT_NEAR(from_master.scales[0] / from_packed.scales[0], 1, 1.0 / 256);
  }
}

}  // namespace
}  // namespace tern::checkpoint
