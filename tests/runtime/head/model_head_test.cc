// LoadOptions::head, from the file to the text.
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <tern/error.h>
#include <tern/model.h>
#include <tern/sampler.h>
#include <tern/scheduler.h>
#include <tern/session.h>

#include "runtime/head/head.h"
#include "tests/runtime/forward/expect_logits.h"
#include "tests/support/expect_error.h"
#include "tests/support/golden.h"
#include "tests/support/synthetic_model.h"

namespace tern {
namespace {

using kernels::DenseType;
namespace gguf = testing::gguf;
using testing::GgufForm;
using testing::GgufOf;
using testing::ModelFiles;
using testing::RandomModel;
using testing::SourceDir;
using testing::SyntheticShape;

constexpr std::size_t kVocab = 2500;
constexpr std::size_t kHidden = 256;

std::shared_ptr<const Model> Load(const std::filesystem::path& path,
                                  HeadForm head) {
  LoadOptions options;
  options.head = head;
  options.num_threads = 2;
  return Model::Load(path, options);
}

std::filesystem::path WriteModel(ModelFiles& files, bool tied,
                                 std::uint32_t head_type) {
  SyntheticShape shape;
  shape.vocab = kVocab;
  shape.hidden = kHidden;
  shape.layers = 1;
  shape.tied = tied;
  GgufForm form;
  form.embedding_type = head_type;
  form.head_type = head_type;
  return files.Write(GgufOf(shape, RandomModel(shape, 3), form));
}

SamplerOptions RandomOptions(std::mt19937& random) {
  const auto pick = [&](std::initializer_list<float> values) {
    return values.begin()[random() % values.size()];
  };
  SamplerOptions o;
  o.temperature = pick({0, 0.5F, 1, 4});
  o.top_k = static_cast<int>(pick({0, 1, 5, 40}));
  o.top_p = pick({1, 0.9F});
  o.min_p = pick({0, 0.05F, 0.5F});
  o.repeat_last_n = static_cast<int>(pick({0, 8, 64, -1}));
  o.repeat_penalty = pick({1, 1.2F, 0.8F});
  o.presence_penalty = pick({0, 1, -1});
  o.frequency_penalty = pick({0, 0.3F, -0.3F});
  o.seed = random();
  return o;
}

std::vector<float> Copy(std::span<const float> logits) {
  return {logits.begin(), logits.end()};
}

TEST(ModelHead, AScreenedHeadWritesTheSameText) {
  ModelFiles files;
  std::mt19937 random(5);
  for (const std::uint32_t type : {gguf::kF16, gguf::kBf16, gguf::kF32}) {
    for (const bool tied : {false, true}) {
      const auto path = WriteModel(files, tied, type);
      const auto stored = Load(path, HeadForm::kAsStored);
      const auto screened = Load(path, HeadForm::kScreened);
      for (int i = 0; i < 25; ++i) {
        const SamplerOptions options = RandomOptions(random);
        Sampler sampler(options);
        Sampler again(options);
        Session plain(stored, {.context_length = 64, .num_threads = 2});
        Session quick(screened, {.context_length = 64, .num_threads = 1});
        const std::vector<Token> prompt = {1, 2, 3, 2, 1};
        plain.Append(prompt);
        quick.Append(prompt);
        for (int t = 0; t < 16; ++t) {
          // All logits, before the sampler's or not at all: no difference.
          if (t == 7) {
            EXPECT_EQ(Copy(quick.Logits()), Copy(plain.Logits()));
          }
          ASSERT_EQ(quick.Next(again), plain.Next(sampler)) << i << " " << t;
        }
        EXPECT_EQ(Copy(quick.Logits()), Copy(plain.Logits()));
      }
    }
  }
}

// Many texts at once from a model, some of which need all logits: each as alone
// from another.
void ExpectTogetherAsAlone(const std::shared_ptr<const Model>& model,
                           std::size_t slots,
                           const std::shared_ptr<const Model>& other,
                           std::mt19937& random) {
  struct Text {
    SamplerOptions options;
    std::vector<Token> prompt;
    std::vector<Token> ids;
  };
  std::vector<Text> texts(slots + slots / 2);
  Scheduler scheduler(model,
                      {.slots = slots, .context_length = 64, .num_threads = 2});
  for (Text& text : texts) {
    text.options = RandomOptions(random);
    text.prompt = {static_cast<Token>(random() % kVocab), 2, 3};
    GenerateRequest request;
    request.prompt = text.prompt;
    request.sampler = text.options;
    request.max_tokens = 5 + random() % 20;
    request.ignore_end_of_text = true;
    request.top_logprobs = random() % 5 == 0 ? 1 : -1;
    request.on_token = [&text](const GeneratedToken& token) {
      text.ids.push_back(token.token);
      return true;
    };
    scheduler.Submit(std::move(request));
  }
  ASSERT_TRUE(scheduler.Drain(std::chrono::minutes(5)));
  for (const Text& text : texts) {
    Session session(other, {.context_length = 64, .num_threads = 1});
    Sampler sampler(text.options);
    session.Append(text.prompt);
    ASSERT_GE(text.ids.size(), 5U);
    for (const Token token : text.ids) {
      ASSERT_EQ(session.Next(sampler), token);
    }
  }
}

// With a screen, and without: then rows are rounded for 8 texts and more.
TEST(ModelHead, TextsTogetherAreThoseOfTheStoredHead) {
  ModelFiles files;
  std::mt19937 random(6);
  for (const std::uint32_t type : {gguf::kF16, gguf::kBf16}) {
    const auto path = WriteModel(files, false, type);
    const auto stored = Load(path, HeadForm::kAsStored);
    for (const auto& model : {Load(path, HeadForm::kScreened), stored}) {
      for (const std::size_t slots : {2U, 9U, 40U}) {
        ExpectTogetherAsAlone(model, slots, stored, random);
      }
    }
  }
}

TEST(ModelHead, TheBytesAreThoseOfTheForm) {
  ModelFiles files;
  for (const bool tied : {false, true}) {
    const auto path = WriteModel(files, tied, gguf::kF16);
    const auto stored = Load(path, HeadForm::kAsStored);
    const auto q8 = Load(path, HeadForm::kQ8);
    const auto screened = Load(path, HeadForm::kScreened);
    const std::uint64_t f16 = kVocab * kHidden * 2;
    const std::uint64_t int8 = kVocab * (kHidden + 4);
    EXPECT_EQ(stored->head_bytes_per_token(), f16);
    EXPECT_EQ(q8->head_bytes_per_token(), int8);
    EXPECT_EQ(stored->bytes_per_token() - q8->bytes_per_token(), f16 - int8);
    EXPECT_EQ(screened->head_bytes_per_token(),
              ScreenRows::FirstBytes(kVocab, kHidden));
    // int8 rows take the place of an untied head; a tied one stays.
    EXPECT_EQ(q8->weights_bytes() + (tied ? 0 : f16),
              stored->weights_bytes() + int8);
    EXPECT_EQ(screened->weights_bytes(),
              stored->weights_bytes() + ScreenRows::Bytes(kVocab, kHidden));
    EXPECT_NE(q8->Describe().find("head as q8"), std::string::npos);
    EXPECT_NE(screened->Describe().find("head, screened"), std::string::npos);

    Session session(screened, {.context_length = 32});
    Sampler greedy({.temperature = 0});
    session.Append(std::vector<Token>{1, 2, 3});
    EXPECT_EQ(session.head_bytes_read(), 0U);
    session.Next(greedy);
    EXPECT_GT(session.head_bytes_read(), screened->head_bytes_per_token());
    EXPECT_LT(session.head_bytes_read(), f16 * 3 / 4);
    const std::uint64_t before = session.head_bytes_read();
    (void)session.Logits();
    EXPECT_EQ(session.head_bytes_read(), before + f16);
  }
}

TEST(ModelHead, Int8LogitsAreNearTheStoredOnes) {
  ModelFiles files;
  for (const bool tied : {false, true}) {
    const auto path = WriteModel(files, tied, gguf::kBf16);
    const std::vector<std::int32_t> ids = {5, 6, 7, 8, 9, 10, 11};
    const std::vector<float> want =
        testing::LogitsOf(Load(path, HeadForm::kAsStored), ids);
    const auto q8 = Load(path, HeadForm::kQ8);
    const std::vector<float> got = testing::LogitsOf(q8, ids);
    // Logits of a standard deviation of 2, rows of 256 weights in 8 bits.
    const auto difference =
        testing::Compare(got.data(), want.data(), want.size());
    EXPECT_LT(difference.rms, 0.03);
    EXPECT_GT(difference.rms, 0.001);
    EXPECT_EQ(testing::LogitsOf(q8, ids, 1, 1), got);
  }
}

TEST(ModelHead, AHeadOfEightBitsStaysOrIsRefused) {
  const auto shipped = SourceDir() / "models" / "books-79m.gguf";
  const auto q8 = Load(shipped, HeadForm::kQ8);
  EXPECT_NE(q8->Describe().find("q8_0 tied head;"), std::string::npos)
      << q8->Describe();
  ExpectError(ErrorCode::kInvalidArgument,
              {"books-79m.gguf", "token_embd.weight", "8 bits a weight"},
              [&] { Load(shipped, HeadForm::kScreened); });
}

TEST(ModelHead, FormsFollowTheStoredType) {
  using enum HeadForm;
  const auto resolve = [](HeadForm asked, DenseType stored) {
    return ResolveHead(asked, false, stored, "place");
  };
  for (const DenseType type :
       {DenseType::kF32, DenseType::kF16, DenseType::kBf16}) {
    EXPECT_EQ(resolve(kAuto, type), kAsStored);
    EXPECT_EQ(resolve(kAsStored, type), kAsStored);
    EXPECT_EQ(resolve(kQ8, type), kQ8);
    EXPECT_EQ(resolve(kScreened, type), kScreened);
  }
  for (const DenseType type : {DenseType::kQ8_0, DenseType::kInt8x16}) {
    EXPECT_EQ(resolve(kAuto, type), kAsStored);
    EXPECT_EQ(resolve(kQ8, type), kAsStored);
    ExpectError(ErrorCode::kInvalidArgument, {"place", "8 bits"},
                [&] { resolve(kScreened, type); });
  }
  for (const HeadForm form : {kQ8, kScreened}) {
    ExpectError(ErrorCode::kInvalidArgument, {"place", "ternary"},
                [&] { ResolveHead(form, true, DenseType::kF32, "place"); });
  }
  EXPECT_EQ(ResolveHead(kAuto, true, DenseType::kF32, "place"), kAsStored);
}

}  // namespace
}  // namespace tern
