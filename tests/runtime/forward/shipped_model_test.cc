// The model that ships against the outputs that Hugging Face transformers gives
// for its source.  The file holds the embedding as Q8_0, so the bounds are
// those of a b1.58 model with another rounding somewhere: statistical.
#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include <gtest/gtest.h>

#include <tern/model.h>
#include <tern/sampler.h>
#include <tern/session.h>

#include "tests/support/golden.h"

namespace tern::testing {
namespace {

std::filesystem::path ModelPath() {
  return SourceDir() / "models" / "books-79m.gguf";
}

std::shared_ptr<const Model> Shipped() {
  static const auto model = Model::Load(ModelPath());
  return model;
}

const Golden& Reference() {
  static const Golden golden(GoldenDir() / "books-79m" /
                             "reference.safetensors");
  return golden;
}

TEST(ShippedModel, IsSmallEnoughForARepository) {
  EXPECT_LE(std::filesystem::file_size(ModelPath()), 25'000'000U);
}

TEST(ShippedModel, TokenizesThePromptsAsTheReferenceDoes) {
  std::ifstream file(GoldenDir() / "books-79m" / "prompts.json");
  const nlohmann::json prompts = nlohmann::json::parse(file);
  ASSERT_FALSE(prompts.empty());
  for (const auto& prompt : prompts) {
    EXPECT_EQ(Shipped()->tokenizer().Encode(prompt["text"].get<std::string>()),
              prompt["ids"].get<std::vector<Token>>())
        << prompt["name"];
  }
}

TEST(ShippedModel, PredictsTheValidationTextAsWellAsItsSource) {
  constexpr std::size_t kWindow = 1024;
  const std::vector<Token> ids = Reference().Ids("val.ids");
  const std::vector<float> want = Reference().Floats("val.nll");
  double got_sum = 0;
  double want_sum = 0;
  for (const float nll : want) want_sum += nll;
  for (std::size_t w = 0; w < ids.size(); w += kWindow) {
    Session session(Shipped(), {.context_length = kWindow});
    session.Append({ids.data() + w, kWindow},
                   [&](std::size_t position, std::span<const float> logits) {
                     if (position + 1 == kWindow) return;
                     got_sum += NegativeLogLikelihood(
                         logits.data(), logits.size(), ids[w + position + 1]);
                   });
  }
  const auto count = static_cast<double>(want.size());
  EXPECT_NEAR(got_sum / count, want_sum / count, 0.002);
}

TEST(ShippedModel, LogitsAgreeWithinTheChaosOfRounding) {
  for (const std::string& name : Reference().Names(".last_logits")) {
    Session session(Shipped(), {.kv_type = KvType::kF32});
    session.Append(Reference().Ids(name + ".ids"));
    const std::vector<float> want = Reference().Floats(name + ".last_logits");
    const Difference d =
        Compare(session.Logits().data(), want.data(), want.size());
    EXPECT_LT(d.rms, 0.1) << name;
    EXPECT_LT(d.max, 0.5) << name;
  }
}

TEST(ShippedModel, GreedyTokensAreEqualWhileTheLeadIsLarge) {
  for (const std::string& name : Reference().Names(".greedy_ids")) {
    const std::vector<Token> want = Reference().Ids(name + ".greedy_ids");
    const std::vector<float> lead = Reference().Floats(name + ".greedy_margin");
    Session session(Shipped(), {.kv_type = KvType::kF32});
    Sampler greedy({.temperature = 0});
    session.Append(Reference().Ids(name + ".ids"));
    for (std::size_t i = 0; i < want.size() && lead[i] > 0.6F; ++i) {
      ASSERT_EQ(session.Next(greedy), want[i]) << name << " token " << i;
    }
  }
}

TEST(ShippedModel, LogitsAreBitEqualForThreadsAndChunks) {
  const std::vector<Token> ids = Reference().Ids("val_120.ids");
  const auto logits = [&](int threads, std::size_t chunk) {
    Session session(Shipped(), {.num_threads = threads});
    for (std::size_t i = 0; i < ids.size(); i += chunk) {
      session.Append({ids.data() + i, std::min(chunk, ids.size() - i)});
    }
    return std::vector<float>(session.Logits().begin(), session.Logits().end());
  };
  const std::vector<float> want = logits(1, ids.size());
  EXPECT_EQ(logits(2, 1), want);
  EXPECT_EQ(logits(3, 7), want);
  EXPECT_EQ(logits(8, ids.size()), want);
}

}  // namespace
}  // namespace tern::testing
