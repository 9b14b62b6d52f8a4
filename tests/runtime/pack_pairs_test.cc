#include "tests/runtime/pack_pairs.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <iostream>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <tern/error.h>
#include <tern/model.h>
#include <tern/pack.h>
#include <tern/session.h>

#include "packing/ternary_matrix.h"
#include "runtime/checkpoint/checkpoint.h"
#include "runtime/checkpoint/find_unpacked.h"
#include "runtime/checkpoint/hf_config_writer.h"
#include "tests/support/temporary_directory.h"

namespace tern::testing {
namespace {

namespace fs = std::filesystem;
using checkpoint::Checkpoint;
using checkpoint::LinearKind;
using checkpoint::LinearSource;

struct Format {
  const char* name;
  PackedType type;
};
constexpr std::array kFormats = {Format{"t2", PackedType::kT2},
                                 Format{"tq2_0", PackedType::kTQ2_0},
                                 Format{"tq1_0", PackedType::kTQ1_0},
                                 Format{"i2_s", PackedType::kI2S},
                                 Format{"q2_0", PackedType::kQ2_0},
                                 Format{"hf", PackedType::kHuggingFace}};

// Everything of a model that must not change.
struct Contents {
  ModelConfig config;
  bool is_ternary = false;
  std::vector<packing::TernaryMatrix> matrices;  // of the layers
  std::vector<std::vector<std::uint8_t>> dense;  // their bytes
  std::vector<float> logits;
  std::vector<Token> tokens;  // of a text, if there is a tokenizer
  std::vector<Token> end_tokens;
};

void ReadLayers(const Checkpoint& model, Contents& contents) {
  ForEachLinear(model, [&](const LinearSource& linear) {
    if (linear.kind != LinearKind::kDense) {
      contents.is_ternary = true;
      contents.matrices.push_back(checkpoint::ReadLinear(linear));
      return;
    }
    std::vector<std::uint8_t> bytes(linear.weight.bytes);
    checkpoint::ReadDense(linear, 0, linear.rows, bytes);
    contents.dense.push_back(std::move(bytes));
  });
}

std::vector<float> Logits(const std::shared_ptr<const Model>& model) {
  const auto vocab = static_cast<Token>(model->config().vocab_size);
  std::vector<Token> ids;
  for (Token i = 0; i < 9; ++i) ids.push_back((7 + 29 * i) % vocab);
  Session session(model, {.context_length = 16});
  session.Append(ids);
  const auto logits = session.Logits();
  return {logits.begin(), logits.end()};
}

Contents Read(const fs::path& path) {
  Contents contents;
  const Checkpoint model = checkpoint::Open(path);
  contents.config = model.config;
  ReadLayers(model, contents);
  const auto loaded = Model::Load(path);
  contents.logits = Logits(loaded);
  if (loaded->has_tokenizer()) {
    const Tokenizer& tokenizer = loaded->tokenizer();
    contents.tokens = tokenizer.Encode(
        "Once upon a time, <|eot_id|>\n  in 1876", {.parse_special = true});
    const auto ends = tokenizer.end_tokens();
    contents.end_tokens.assign(ends.begin(), ends.end());
    std::sort(contents.end_tokens.begin(), contents.end_tokens.end());
  }
  return contents;
}

bool SameBits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() &&
         std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

void ExpectSame(const Contents& source, const Contents& packed) {
  EXPECT_EQ(checkpoint::FirstDifference(source.config, packed.config,
                                        source.is_ternary),
            "");
  EXPECT_TRUE(source.matrices == packed.matrices) << "codes or multipliers";
  EXPECT_TRUE(source.dense == packed.dense) << "float weights";
  EXPECT_TRUE(SameBits(source.logits, packed.logits)) << "logits";
  EXPECT_EQ(source.tokens, packed.tokens);
  EXPECT_EQ(source.end_tokens, packed.end_tokens);
}

// What is wrong, without the place and the advice.
std::string Reason(const Error& error) {
  std::string reason = error.what();
  const std::size_t tensor = reason.find("tensor '");
  const std::size_t from = tensor == std::string::npos
                               ? reason.find(": ")
                               : reason.find("': ", tensor) + 1;
  reason = reason.substr(from + 2);
  return reason.substr(0, reason.rfind(';'));
}

// nullopt if it was packed.
std::optional<std::string> PackOrReason(const fs::path& from,
                                        const fs::path& to, PackedType type) {
  try {
    Pack(from, to, {.type = type});
    return std::nullopt;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUnsupported) << error.what();
    EXPECT_FALSE(fs::exists(to));
    return Reason(error);
  }
}

// Markdown, printed when all tests are done: for each model a row for each
// first format, with a column for each second one.
class Table : public ::testing::Environment {
 public:
  void Add(const std::string& cell) { text_ += " " + cell + " |"; }
  void Refuse(const std::string& reason) {
    const auto found = std::find(reasons_.begin(), reasons_.end(), reason);
    const auto number = found - reasons_.begin() + 1;
    if (found == reasons_.end()) reasons_.push_back(reason);
    Add("(" + std::to_string(number) + ")");
  }
  void BeginRow(const std::string& model, const char* format) {
    text_ += "\n| " + model + " | " + format + " |";
  }
  void TearDown() override {
    std::cout << "\n| model | first to | is | ";
    for (const Format& format : kFormats) {
      std::cout << "then to " << format.name << " | ";
    }
    std::cout << "\n|---|---|---|";
    for (std::size_t i = 0; i < kFormats.size(); ++i) std::cout << "---|";
    std::cout << text_ << "\n\n";
    for (std::size_t i = 0; i < reasons_.size(); ++i) {
      std::cout << "(" << i + 1 << ") refused: " << reasons_[i] << "\n";
    }
  }

 private:
  std::string text_;
  std::vector<std::string> reasons_;
};
Table* const table = dynamic_cast<Table*>(
    ::testing::AddGlobalTestEnvironment(new Table));  // gtest deletes it

class PackPairs : public ::testing::TestWithParam<fs::path> {};

TEST_P(PackPairs, NothingIsLost) {
  const TemporaryDirectory directory;
  const Contents source = Read(GetParam());
  const std::string name = GetParam().filename().string();
  for (const Format& first : kFormats) {
    SCOPED_TRACE(first.name);
    table->BeginRow(name, first.name);
    const fs::path a = directory / "a";
    if (const auto reason = PackOrReason(GetParam(), a, first.type)) {
      table->Refuse(*reason);
      for (std::size_t i = 0; i < kFormats.size(); ++i) table->Add("");
      continue;
    }
    ExpectSame(source, Read(a));
    table->Add(HasFailure() ? "LOST" : "same");
    for (const Format& second : kFormats) {
      SCOPED_TRACE(second.name);
      const fs::path b = directory / "b";
      if (const auto reason = PackOrReason(a, b, second.type)) {
        table->Refuse(*reason);
        continue;
      }
      ExpectSame(source, Read(b));
      table->Add(HasFailure() ? "LOST" : "same");
      fs::remove_all(b);
    }
    fs::remove_all(a);
  }
}

INSTANTIATE_TEST_SUITE_P(Models, PackPairs, ::testing::ValuesIn(ModelsToPack()),
                         [](const auto& test) {
                           std::string name = test.param.filename().string();
                           std::replace_if(
                               name.begin(), name.end(),
                               [](unsigned char c) { return !std::isalnum(c); },
                               '_');
                           return name;
                         });

}  // namespace
}  // namespace tern::testing
