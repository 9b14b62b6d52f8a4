// Memory that runs out at any one allocation: an Error of that kind, nothing
// leaked (the asan preset looks), and the next try succeeds.
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <tern/error.h>
#include <tern/inspect.h>
#include <tern/pack.h>

#include "tests/faults/fault_injection.h"
#include "tests/faults/tiny_run.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/tiny_model.h"

namespace tern::testing {
namespace {

namespace fs = std::filesystem;

using Use = std::function<void()>;

std::size_t CallsOf(Call call, const Use& use) {
  const Injection injection({.call = call, .count = 0});
  use();
  return injection.calls();
}

// Every one of the first hundred calls, and some of the rest, of which there
// are tens of thousands (tokens, merges).
std::vector<std::size_t> Sample(std::size_t calls) {
  constexpr std::size_t kAll = 100;
  constexpr std::size_t kSome = 150;
  std::vector<std::size_t> sample;
  const std::size_t step = calls < kAll + kSome ? 1 : (calls - kAll) / kSome;
  for (std::size_t i = 0; i < calls; i += i < kAll ? 1 : step) {
    sample.push_back(i);
  }
  return sample;
}

std::vector<std::size_t> All(std::size_t calls) {
  std::vector<std::size_t> all(calls);
  std::iota(all.begin(), all.end(), 0);
  return all;
}

// How many of the failures became an Error.  What libraries and the library
// itself allocate once in a process is not among them: the call that counts has
// done that (the self-test of the CPU, tables of the C++ library).
std::size_t ExpectErrors(
    Call call, const Use& use,
    const std::function<std::vector<std::size_t>(std::size_t)>& choose =
        Sample) {
  use();
  const std::size_t calls = CallsOf(call, use);
  EXPECT_GT(calls, 0U);
  std::size_t errors = 0;
  for (const std::size_t i : choose(calls)) {
    const Injection injection({.call = call, .first = i, .error = ENOMEM});
    try {
      use();
    } catch (const Error& error) {
      ++errors;
      const std::string message = error.what();
      EXPECT_EQ(error.code(), ErrorCode::kOutOfMemory) << i << ": " << message;
      EXPECT_NE(message.find("; "), std::string::npos) << i << ": " << message;
    } catch (const std::exception& other) {
      ADD_FAILURE() << "allocation " << i << " of " << calls << ": "
                    << other.what() << " instead of an Error";
    }
  }
  return errors;
}

void LoadAndStep(const fs::path& path) {
  LoadAndUse(path, 1, [](std::span<const float> /*logits*/) {});
}

class AllocationFaultsTest : public ::testing::Test {
 protected:
  AllocationFaultsTest() { WriteTinyHuggingFace({}, directory_ / "model"); }

  const fs::path gguf_ = kGolden / "zb-bitnet-256.i2_s.gguf";
  TemporaryDirectory directory_;
};

TEST_F(AllocationFaultsTest, RunningAGgufModel) {
  EXPECT_GT(ExpectErrors(Call::kNew, [&] { LoadAndStep(gguf_); }), 100U);
}

TEST_F(AllocationFaultsTest, RunningAHuggingFaceModel) {
  const fs::path model = directory_ / "model";
  EXPECT_GT(ExpectErrors(Call::kNew, [&] { LoadAndStep(model); }), 100U);
}

// Each single one of loading a model and running a few tokens, in either form.
// It has no tokenizer (those of the models above have thousands of tokens and
// merges, of which the tests above take a sample), but all of the rest.
TEST_F(AllocationFaultsTest, EveryOneOfATinyModel) {
  const fs::path gguf = directory_ / "tiny.gguf";
  WriteTinyGguf({}, gguf);
  for (const fs::path& path : {gguf, directory_ / "model"}) {
    SCOPED_TRACE(path);
    const std::size_t errors = ExpectErrors(
        Call::kNew, [&] { LoadAndStep(path); }, All);
    EXPECT_GT(errors, 300U);
    std::printf("%zu allocations became an Error\n", errors);
  }
}

TEST_F(AllocationFaultsTest, MatricesAndCaches) {
  EXPECT_GT(ExpectErrors(Call::kAlignedAlloc, [&] { LoadAndStep(gguf_); }), 5U);
}

// Huge pages are a wish.
TEST_F(AllocationFaultsTest, NoHugePagesAreNoReasonToFail) {
  const std::vector<float> expected = LoadAndRun(gguf_);
  const Injection injection(
      {.call = Call::kMadvise, .count = kForever, .error = EINVAL});
  EXPECT_EQ(LoadAndRun(gguf_), expected);
}

TEST_F(AllocationFaultsTest, InspectingAModel) {
  EXPECT_GT(ExpectErrors(Call::kNew, [&] { (void)Inspect(gguf_); }), 50U);
}

TEST_F(AllocationFaultsTest, PackingAModelLeavesNothing) {
  const fs::path out = directory_ / "out.gguf";
  const Use pack = [&] {
    Pack(gguf_, out, {.overwrite = true});
    fs::remove(out);
  };
  EXPECT_GT(ExpectErrors(Call::kNew, pack), 50U);
  EXPECT_EQ(directory_.FileCount(), 1U);  // the model
}

// A session in which a step failed can take it again.
TEST_F(AllocationFaultsTest, AStepThatFailedCanBeTakenAgain) {
  const std::vector<float> expected = LoadAndRun(gguf_);
  const auto model = LoadWith(gguf_, 1);
  for (const Call call : {Call::kNew, Call::kAlignedAlloc}) {
    for (std::size_t i = 0; i < 10; ++i) {
      Session session(model, {.context_length = 16, .num_threads = 1});
      Sampler sampler(SamplerOptions{.temperature = 0});
      std::vector<float> logits(expected.size());
      const auto again = [&](const auto& step) {
        const Injection injection({.call = call, .first = i, .error = ENOMEM});
        try {
          step();
        } catch (const Error& error) {
          EXPECT_EQ(error.code(), ErrorCode::kOutOfMemory) << error.what();
          step();
        }
      };
      const std::vector<Token> tokens = {1, 2, 3};
      again([&] { session.Append(tokens); });
      again([&] { (void)session.Next(sampler); });
      again([&] {
        const auto got = session.Logits();
        ASSERT_EQ(got.size(), logits.size());
        std::copy(got.begin(), got.end(), logits.begin());
      });
      EXPECT_EQ(session.tokens().size(), 4U);
      EXPECT_EQ(logits, expected);
    }
  }
}

}  // namespace
}  // namespace tern::testing
