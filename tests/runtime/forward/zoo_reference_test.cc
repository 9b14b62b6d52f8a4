// The small random models of the reference folder, in every form that other
// programs wrote them, against the outputs of reference implementations.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <tern/model.h>
#include <tern/session.h>

#include "runtime/checkpoint/checkpoint.h"
#include "tests/runtime/checkpoint/compare.h"
#include "tests/runtime/forward/expect_logits.h"
#include "tests/support/golden.h"
#include "tests/support/reference_files.h"

namespace tern::testing {
namespace {

using checkpoint::LinearSource;
using packing::TernaryMatrix;

std::filesystem::path Zoo() { return ReferenceDir() / "models" / "zoo"; }
std::filesystem::path Gguf() { return ReferenceDir() / "gguf"; }

// A model, a folder of its weights for the reference pass, and the file that
// says what they give.
struct ZooCase {
  std::string name;
  std::filesystem::path model;
  std::filesystem::path source;
  std::filesystem::path golden;
  std::string logits = ".logits";  // suffix of the tensors to compare with
  bool silu = false;               // whatever the source says
  // Where the file does not imply the activations of the golden outputs.
  std::optional<InputType> input_type = std::nullopt;
  // f16 rounding of the scales or of the embedding: another model, slightly.
  bool rounded = false;
};
void PrintTo(const ZooCase& c, std::ostream* out) { *out << c.name; }

ZooCase FromZoo(const std::string& name, const std::string& folder) {
  return {name, Zoo() / folder, Zoo() / folder,
          Zoo() / folder / "golden_float32.safetensors"};
}

ZooCase FromGguf(const std::string& name, const std::string& file,
                 bool rounded) {
  const std::string source = file.substr(0, file.find('.'));
  ZooCase c{name, Gguf() / file, Gguf() / source,
            Gguf() / (source + ".ref.safetensors")};
  c.rounded = rounded;
  return c;
}

std::vector<ZooCase> ZooCases() {
  std::vector<ZooCase> cases = {
      FromZoo("z1", "z1-bitnet-2b4t-packed"),
      FromZoo("z1m", "z1m-bitnet-2b4t-master"),
      FromZoo("z2", "z2-llama-bitlinear"),
      FromZoo("z3", "z3-trilm-unpacked"),
      FromZoo("z4", "z4-falcon-e-offline"),
      FromZoo("z4c", "z4c-falcon-e-bitlinear"),
      FromGguf("zb", "zb-bitnet-256", false),
      FromGguf("zbI2S", "zb-bitnet-256.i2_s.gguf", false),
      FromGguf("zbIQ2BN", "zb-bitnet-256.iq2_bn.gguf", false),
      FromGguf("zbF16", "zb-bitnet-256.f16.gguf", true),
      FromGguf("zbTQ1", "zb-bitnet-256.tq1_0.gguf", true),
      FromGguf("zbSilu", "zb-bitnet-256.archbitnet.scale-tensors.tq2_0.gguf",
               false),
      FromGguf("zl", "zl-llama-256", false),
      FromGguf("zlI2S", "zl-llama-256.i2_s.gguf", false),
      FromGguf("zlTQ2", "zl-llama-256.tq2_0.gguf", true),
      FromGguf("zlIQ1BN", "zl-llama-256.iq1_bn.gguf", true),
      FromGguf("zlF32", "zl-llama-256.f32.gguf", true),
  };
  for (ZooCase& c : cases) {
    if (c.name == "zbSilu") {
      c.logits = ".logits_silu";
      c.silu = true;
    }
    // Other programs run all their types on rounded activations.
    if (c.name == "zlTQ2" || c.name == "zlF32") {
      c.input_type = InputType::kInt8;
    }
  }
  return cases;
}

class ZooModel : public ::testing::TestWithParam<ZooCase> {
 protected:
  static std::shared_ptr<const Model> Load() {
    LoadOptions options;
    options.input_type = GetParam().input_type;
    return Model::Load(GetParam().model, options);
  }
  static std::vector<std::string> Sequences() {
    const Golden golden(GetParam().golden);
    std::vector<std::string> names;
    for (const std::string& name : golden.Names(".ids")) names.push_back(name);
    return names;
  }
};

TEST_P(ZooModel, GivesTheLogitsOfTheReference) {
  const ZooCase& c = GetParam();
  const auto model = Load();
  ReferenceModel reference = ReadReferenceModel(c.source);
  reference.silu = reference.silu || c.silu;
  const Golden golden(c.golden);
  ASSERT_FALSE(Sequences().empty());
  for (const std::string& name : Sequences()) {
    SCOPED_TRACE(name);
    const std::vector<Token> ids = golden.Ids(name + ".ids");
    const std::vector<float> want = golden.Floats(name + c.logits);
    const std::vector<float> got = LogitsOf(model, ids);
    if (!reference.int8_input) {
      ExpectFloatLogits(got, want);
      continue;
    }
    std::vector<double> distance(ids.size(), 0.0);
    if (!c.rounded) distance = RunReference(reference, ids).boundary_distance;
    ExpectLogits(got, want, distance);
  }
}

// The reference pass of these tests, on which the synthetic ones rest.
TEST_P(ZooModel, TheReferencePassGivesThemToo) {
  const ZooCase& c = GetParam();
  ReferenceModel reference = ReadReferenceModel(c.source);
  reference.silu = reference.silu || c.silu;
  const Golden golden(c.golden);
  for (const std::string& name : Sequences()) {
    SCOPED_TRACE(name);
    const ReferenceOutput out =
        RunReference(reference, golden.Ids(name + ".ids"));
    const std::vector<float> want = golden.Floats(name + c.logits);
    if (reference.int8_input) {
      ExpectLogits(out.logits, want, out.boundary_distance);
    } else {
      ExpectFloatLogits(out.logits, want);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, ZooModel, ::testing::ValuesIn(ZooCases()),
                         [](const auto& test) { return test.param.name; });

// ----------------------------------------------------------------- weights

float ToHalf(float scale) {
  const int shift = 10 - std::ilogb(scale);
  return std::ldexp(std::nearbyint(std::ldexp(scale, shift)), -shift);
}

// Codes of `gguf` are those of its source, scales too or as f16.
void ExpectWeightsOfSource(const std::string& gguf, bool half_scales) {
  SCOPED_TRACE(gguf);
  const checkpoint::Checkpoint a = checkpoint::Open(Gguf() / gguf);
  const checkpoint::Checkpoint b =
      checkpoint::Open(Gguf() / gguf.substr(0, gguf.find('.')));
  const auto linears_a = checkpoint::Linears(a);
  const auto linears_b = checkpoint::Linears(b);
  ASSERT_EQ(linears_a.size(), linears_b.size());
  for (std::size_t i = 0; i < linears_a.size(); ++i) {
    const TernaryMatrix got = checkpoint::ReadLinear(*linears_a[i]);
    TernaryMatrix want = checkpoint::ReadLinear(*linears_b[i]);
    if (half_scales) {
      for (float& scale : want.scales) scale = ToHalf(scale);
    }
    EXPECT_EQ(got.codes, want.codes) << linears_a[i]->weight.name;
    EXPECT_EQ(got.scales, want.scales) << linears_a[i]->weight.name;
  }
}

TEST(ZooWeights, AreThoseOfTheSource) {
  for (const char* file :
       {"zb-bitnet-256.i2_s.gguf", "zb-bitnet-256.iq2_bn.gguf",
        "zl-llama-256.i2_s.gguf",
        "zb-bitnet-256.archbitnet.scale-tensors.tq2_0.gguf"}) {
    ExpectWeightsOfSource(file, false);
  }
  for (const char* file :
       {"zb-bitnet-256.tq1_0.gguf", "zb-bitnet-256.f16.gguf",
        "zl-llama-256.tq2_0.gguf", "zl-llama-256.iq1_bn.gguf"}) {
    ExpectWeightsOfSource(file, true);
  }
}

TEST(ZooWeights, PermutedRowsGiveTheLogitsOfTheUnpermutedOnes) {
  const Golden golden(Gguf() / "zl-llama-256.ref.safetensors");
  const auto gguf = Model::Load(Gguf() / "zl-llama-256.i2_s.gguf");
  const auto folder = Model::Load(Gguf() / "zl-llama-256");
  const std::vector<Token> ids = golden.Ids("s17.ids");
  const std::vector<float> a = LogitsOf(gguf, ids);
  const std::vector<float> b = LogitsOf(folder, ids);
  EXPECT_LE(Compare(a.data(), b.data(), a.size()).max, 1e-4);
}

// K = 192: blocks of 128 run over the ends of rows.
TEST(ZooWeights, I2SOfShortRowsIsReadFlat) {
  const auto codes = [](const std::filesystem::path& path) {
    std::vector<std::vector<std::uint8_t>> all;
    const checkpoint::Checkpoint model = checkpoint::Open(path);
    for (const LinearSource* linear : checkpoint::Linears(model)) {
      all.push_back(checkpoint::ReadLinear(*linear).codes);
    }
    return all;
  };
  EXPECT_EQ(codes(Gguf() / "z2-llama-bitlinear.K192-UNSOUND.i2_s.gguf"),
            codes(Zoo() / "z2-llama-bitlinear"));
}

TEST(ZooWeights, FilesThatCannotBeRightAreRefused) {
  const std::map<std::string, std::vector<std::string>> refused = {
      {"zb-bitnet-256.CORRUPT-2threads.i2_s.gguf",
       {"'blk.0.attn_q.weight'", "I2_S", "16416", "16512", "thread"}},
      {"z1-bitnet-2b4t-packed.K640-UNSOUND.tq2_0.gguf",
       {"'blk.0.ffn_down.weight'", "640", "TQ2_0"}},
  };
  for (const auto& [file, words] : refused) {
    try {
      (void)Model::Load(Gguf() / file);
      ADD_FAILURE() << file << " was loaded";
    } catch (const Error& error) {
      const std::string message = error.what();
      EXPECT_TRUE(message.starts_with((Gguf() / file).string())) << message;
      for (const std::string& word : words) {
        EXPECT_NE(message.find(word), std::string::npos) << message;
      }
    }
  }
}

// The greedy choice, where the reference's lead is beyond what one rounding
// changes.
TEST_P(ZooModel, ChoosesTheTokensOfTheReferenceWhereItsLeadIsLarge) {
  const ZooCase& c = GetParam();
  const auto model = Load();
  const Golden golden(c.golden);
  for (const std::string& name : Sequences()) {
    const std::vector<Token> ids = golden.Ids(name + ".ids");
    const std::vector<float> want = golden.Floats(name + c.logits);
    const std::vector<float> got = LogitsOf(model, ids);
    const std::size_t vocab = want.size() / ids.size();
    for (std::size_t t = 0; t < ids.size(); ++t) {
      std::vector<float> row(
          want.begin() + static_cast<std::ptrdiff_t>(t * vocab),
          want.begin() + static_cast<std::ptrdiff_t>((t + 1) * vocab));
      const std::size_t best = Argmax(row.data(), vocab);
      const float top = row[best];
      row[best] = -1e30F;
      const float lead = top - *std::max_element(row.begin(), row.end());
      // Logits of the zb models have a deviation of 17, not of 2.
      if (lead < 0.02F * std::abs(top) + 0.6F) continue;
      EXPECT_EQ(Argmax(got.data() + t * vocab, vocab), best)
          << name << " position " << t;
    }
  }
}

}  // namespace
}  // namespace tern::testing
