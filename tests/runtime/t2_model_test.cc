// Whole models as t2 files: what becomes of their parts, and what is refused
// though every checksum is right.
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <tern/error.h>
#include <tern/inspect.h>
#include <tern/model.h>
#include <tern/pack.h>
#include <tern/tokenizer.h>
#include <tern/verify.h>

#include "runtime/checkpoint/checkpoint.h"
#include "runtime/checkpoint/find_unpacked.h"
#include "runtime/files/gguf.h"
#include "runtime/files/gguf_writer.h"
#include "tests/support/expect_error.h"
#include "tests/support/golden.h"
#include "tests/support/synthetic_model.h"
#include "tests/support/temporary_directory.h"

namespace tern::testing {
namespace {

namespace fs = std::filesystem;
using checkpoint::Checkpoint;
using files::GgufFile;
using files::StoredType;
using Bytes = std::vector<std::uint8_t>;

fs::path Bitnet() { return GoldenDir() / "zb-bitnet-256.i2_s.gguf"; }
fs::path Llama() { return GoldenDir() / "zl-llama-256.gguf"; }

SyntheticShape Bonsai(bool tied) {
  return {.architecture = "qwen3",
          .head_dim = 128,
          .tied = tied,
          .int8_input = false,
          .group = 128,
          .ternary_embedding = true};
}

class T2Model : public ::testing::Test {
 protected:
  fs::path PackT2(const fs::path& source, PackedHead head = PackedHead::kKeep) {
    fs::path path = directory_ / "t2.gguf";
    Pack(source, path, {.head = head, .overwrite = true});
    return path;
  }
  fs::path Synthetic(const SyntheticShape& shape, const GgufForm& form) {
    fs::path path = directory_ / "synthetic.gguf";
    WriteFile(path, Serialize(GgufOf(shape, RandomModel(shape, 3), form)));
    return path;
  }

  TemporaryDirectory directory_;
};

// --- parts ---

TEST_F(T2Model, KeepsEveryKeyOfTheModelAndItsTokenizer) {
  for (const fs::path& source : {Bitnet(), Llama()}) {
    const auto from = files::ReadGguf(source).metadata;
    const fs::path packed = PackT2(source);
    const auto to = files::ReadGguf(packed).metadata;
    for (const auto& [key, value] : from) {
      if (key == "general.file_type") continue;  // of the old weights
      ASSERT_TRUE(to.contains(key)) << key;
      EXPECT_EQ(to.at(key), value) << key;
    }
    const Tokenizer tokenizer = Tokenizer::Load(source);
    EXPECT_EQ(Tokenizer::Load(packed).Encode("a text, 123 words"),
              tokenizer.Encode("a text, 123 words"));
  }
}

TEST_F(T2Model, NormsAndEmbeddingAreStoredAsAsked) {
  const SyntheticShape untied = {};
  for (const fs::path& source :
       {Bitnet(), Synthetic(untied, {.head_type = gguf::kBf16})}) {
    const Checkpoint from = checkpoint::Open(source);
    const Checkpoint kept = checkpoint::Open(PackT2(source));
    EXPECT_EQ(kept.embedding.weight.type, from.embedding.weight.type);
    EXPECT_EQ(kept.embedding.weight.ReadAll(), from.embedding.weight.ReadAll());
    EXPECT_EQ(kept.output_norm.ReadAll(), from.output_norm.ReadAll());
    ASSERT_EQ(kept.head.has_value(), from.head.has_value());
    if (kept.head) {
      EXPECT_EQ(kept.head->weight.type, StoredType::kBf16);
      EXPECT_EQ(kept.head->weight.ReadAll(), from.head->weight.ReadAll());
    }
    for (const auto& [head, type] :
         {std::pair(PackedHead::kF16, StoredType::kF16),
          std::pair(PackedHead::kQ8_0, StoredType::kQ8_0)}) {
      const Checkpoint other = checkpoint::Open(PackT2(source, head));
      EXPECT_EQ(other.embedding.weight.type, type);
      if (other.head) {
        EXPECT_EQ(other.head->weight.type, type);
      }
      EXPECT_TRUE(Verify(directory_ / "t2.gguf").faults.empty());
    }
  }
}

TEST_F(T2Model, TernaryEmbeddingsAndHeadsBecomeT2) {
  for (const bool tied : {true, false}) {
    const fs::path source =
        Synthetic(Bonsai(tied), {.linear_type = gguf::kPq2_0,
                                 .embedding_type = gguf::kPq2_0,
                                 .head_type = gguf::kPq2_0});
    const Checkpoint from = checkpoint::Open(source);
    const Checkpoint to = checkpoint::Open(PackT2(source));
    EXPECT_EQ(to.embedding.weight.type, StoredType::kT2);
    EXPECT_EQ(to.embedding.multipliers->name, "token_embd.scales");
    EXPECT_EQ(to.embedding.multipliers->shape,
              (std::vector<std::uint64_t>{96, 2}));
    EXPECT_EQ(checkpoint::ReadLinear(to.embedding),
              checkpoint::ReadLinear(from.embedding));
    ASSERT_EQ(to.head.has_value(), !tied);
    if (!to.head) continue;
    EXPECT_EQ(to.head->multipliers->name, "output.scales");
    EXPECT_EQ(checkpoint::ReadLinear(*to.head),
              checkpoint::ReadLinear(*from.head));
  }
}

// What a t2 file is made into is what its source would be made into: also of
// architecture llama, whose rows have another order in GGUF.
TEST_F(T2Model, NothingIsLostOnTheWayToOtherTypes) {
  for (const fs::path& source : {Bitnet(), Llama()}) {
    const fs::path t2 = PackT2(source);
    for (const PackedType type : {PackedType::kTQ2_0, PackedType::kTQ1_0,
                                  PackedType::kI2S, PackedType::kQ2_0}) {
      PackOptions options;
      options.type = type;
      options.overwrite = true;
      Pack(source, directory_ / "direct.gguf", options);
      Pack(t2, directory_ / "by_t2.gguf", options);
      EXPECT_EQ(ReadFile(directory_ / "by_t2.gguf"),
                ReadFile(directory_ / "direct.gguf"));
    }
  }
}

TEST_F(T2Model, InspectionKnowsIt) {
  const ModelReport report = Inspect(PackT2(Bitnet()));
  EXPECT_TRUE(report.runs) << report.verdict;
  EXPECT_EQ(report.format, "GGUF v3, T2");
  EXPECT_EQ(report.problems, std::vector<std::string>{});
  EXPECT_EQ(report.warnings, std::vector<std::string>{});
  const ModelReport source = Inspect(Bitnet());
  EXPECT_EQ(report.memory->ternary_bytes, source.memory->ternary_bytes);
  std::size_t compared = 0;
  for (const TensorReport& tensor : report.tensors) {
    for (const TensorReport& other : source.tensors) {
      if (tensor.name != other.name || !tensor.is_ternary) continue;
      EXPECT_EQ(tensor.type, "T2");
      EXPECT_EQ(tensor.share_plus, other.share_plus) << tensor.name;
      EXPECT_EQ(tensor.share_zero, other.share_zero) << tensor.name;
      EXPECT_EQ(tensor.scale_max, other.scale_max) << tensor.name;
      ++compared;
    }
  }
  EXPECT_EQ(compared, 14U);
}

// --- refusals ---

struct Part {
  files::GgufTensor tensor;
  Bytes data;
};
using Parts = std::vector<Part>;

// The file once more, its parts changed, with the checksums of what it is now.
void Rewrite(const fs::path& path, const std::function<void(Parts&)>& change) {
  const GgufFile file = files::ReadGguf(path);
  Parts parts;
  for (const auto& [name, tensor] : file.tensors) {
    if (name == "tern.checksums") continue;
    parts.push_back({{name, tensor.type, tensor.shape}, tensor.ReadAll()});
  }
  change(parts);
  files::GgufMetadata metadata;
  for (const auto& [key, value] : file.metadata) {
    if (key == "tern.t2.version" || key == "general.alignment") continue;
    metadata.emplace_back(key, value);
  }
  std::vector<files::GgufTensor> tensors;
  for (const Part& part : parts) tensors.push_back(part.tensor);
  files::GgufWriter writer(path, true, metadata, tensors, files::GgufForm::kT2);
  for (const Part& part : parts) writer.Write(part.data);
  writer.Finish();
}

Part& Find(Parts& parts, const std::string& name) {
  return *std::find_if(parts.begin(), parts.end(), [&](const Part& part) {
    return part.tensor.name == name;
  });
}

class T2Refusals : public T2Model {
 protected:
  // Loading and verifying say the same, and nothing of checksums.
  void ExpectRefused(ErrorCode code, std::initializer_list<std::string> words,
                     const std::function<void(Parts&)>& change) {
    const fs::path path = PackT2(Bitnet());
    Rewrite(path, change);
    ExpectError(code, words, [&] { Model::Load(path); });
    const auto faults = Verify(path).faults;
    ASSERT_EQ(faults.size(), 1U);
    for (const std::string& word : words) {
      EXPECT_NE(faults[0].what.find(word), std::string::npos)
          << "'" << word << "' not in: " << faults[0].what;
    }
  }
};

constexpr const char* kMatrix = "blk.1.attn_k.weight";  // 128 x 256
constexpr const char* kScales = "blk.1.attn_k.scales";

TEST_F(T2Refusals, RewritingAloneChangesNothing) {
  const fs::path path = PackT2(Bitnet());
  Rewrite(path, [](Parts&) {});
  EXPECT_TRUE(Verify(path).faults.empty());
  EXPECT_NE(Model::Load(path, {.verify = true}), nullptr);
}

TEST_F(T2Refusals, ScalesThatAreMissing) {
  ExpectRefused(ErrorCode::kNotFound, {kScales, "is missing"},
                [](Parts& parts) {
                  std::erase_if(parts, [](const Part& part) {
                    return part.tensor.name == kScales;
                  });
                });
}

TEST_F(T2Refusals, ScalesOfAnotherType) {
  ExpectRefused(ErrorCode::kMalformed, {kScales, "F16", "are F32"},
                [](Parts& parts) {
                  Find(parts, kScales).tensor.type = StoredType::kF16;
                  Find(parts, kScales).data.resize(2);
                });
}

TEST_F(T2Refusals, ScalesThatFitNoPartOfTheMatrix) {
  for (const std::vector<std::uint64_t>& shape :
       {std::vector<std::uint64_t>{2}, {128, 3}, {256, 128}}) {
    ExpectRefused(ErrorCode::kMalformed, {kScales, "scales for 128 rows"},
                  [&](Parts& parts) {
                    Part& part = Find(parts, kScales);
                    part.tensor.shape = shape;
                    part.data.assign(part.tensor.Bytes(), 0);
                  });
  }
}

TEST_F(T2Refusals, TilesOfCodesThatAreNone) {
  ExpectRefused(ErrorCode::kMalformed, {kMatrix, "code 3"},
                [](Parts& parts) { Find(parts, kMatrix).data[77] |= 0xc0; });
}

TEST_F(T2Refusals, TensorsThatNoModelHas) {
  ExpectRefused(
      ErrorCode::kUnsupported, {"mystery.weight", "unknown"}, [](Parts& parts) {
        parts.push_back({{"mystery.weight", StoredType::kF32, {4}}, Bytes(16)});
      });
}

// A scale for each row or block is as good as one for the matrix.
TEST_F(T2Refusals, ButScalesOfRowsAndBlocksAreNot) {
  const fs::path path = PackT2(Bitnet());
  const auto codes = checkpoint::ReadLinear(checkpoint::Open(path).layers[1].k);
  for (const std::vector<std::uint64_t>& shape :
       {std::vector<std::uint64_t>{128}, {128, 2}, {128, 64}}) {
    Rewrite(path, [&](Parts& parts) {
      Part& part = Find(parts, kScales);
      const Bytes one(part.data.begin(), part.data.begin() + 4);
      part.tensor.shape = shape;
      part.data.clear();
      while (part.data.size() < part.tensor.Bytes()) {
        part.data.insert(part.data.end(), one.begin(), one.end());
      }
    });
    EXPECT_TRUE(Verify(path).faults.empty());
    // The canonical form has the widest group that holds them.
    EXPECT_EQ(checkpoint::ReadLinear(checkpoint::Open(path).layers[1].k),
              codes);
    EXPECT_NE(Model::Load(path, {.map = true}), nullptr);
  }
}

}  // namespace
}  // namespace tern::testing
