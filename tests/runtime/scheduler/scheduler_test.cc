// Texts from a scheduler are, bit for bit, those that each request would get
// alone, whatever runs beside it and whatever it begins with.
#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <tern/error.h>
#include <tern/scheduler.h>

#include "tests/runtime/scheduler/texts.h"
#include "tests/runtime/session_fixture.h"

namespace tern {
namespace {

using testing::ExpectAsAlone;
using testing::Text;
using testing::Texts;

class SchedulerTest : public SessionFixture {
 protected:
  void SetUp() override {
    SessionFixture::SetUp();
    while (ids_.size() < 500) ids_.push_back(ids_[ids_.size() - 7]);
  }

  [[nodiscard]] std::vector<Token> Prompt(std::size_t begin,
                                          std::size_t count) const {
    const std::span<const Token> ids = Ids(begin, count);
    return {ids.begin(), ids.end()};
  }

  // Prompts of 1 to 300 tokens that begin differently, every sampler another.
  [[nodiscard]] std::vector<Text> ManyTexts() const {
    std::vector<Text> texts;
    const std::vector<std::size_t> sizes = {3,  300, 1,  40, 65, 130,
                                            17, 64,  90, 2,  33, 200};
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      Text text;
      text.prompt = Prompt(5 * i, sizes[i]);
      text.sampler.temperature =
          i % 3 == 0 ? 0.0F : 0.5F + 0.1F * static_cast<float>(i);
      text.sampler.top_k = i % 2 == 0 ? 0 : 20;
      text.sampler.repeat_penalty = i % 4 == 1 ? 1.2F : 1.0F;
      text.sampler.seed = 100 + i;
      text.max_tokens = 1 + 7 * i % 23;
      texts.push_back(text);
    }
    return texts;
  }
};

TEST_F(SchedulerTest, TextsSideBySideAreThoseOfLoneSessions) {
  for (const KvType kv : {KvType::kF32, KvType::kF16, KvType::kQ8}) {
    for (const int threads : {1, 3}) {
      for (const std::size_t slots : {1U, 4U, 12U}) {
        const std::string what = std::to_string(threads) + " threads, " +
                                 std::to_string(slots) + " slots";
        Texts texts;
        Scheduler scheduler(
            model_, {.slots = slots, .kv_type = kv, .num_threads = threads});
        for (const Text& text : ManyTexts()) {
          texts.Submit(scheduler, texts.Add(text));
        }
        texts.WaitForAll();
        for (std::size_t i = 0; i < texts.size(); ++i) {
          const Text& text = texts[i];
          EXPECT_EQ(text.result.reason, FinishReason::kLength);
          EXPECT_EQ(text.ids.size(), text.max_tokens);
          EXPECT_EQ(text.result.generated_tokens, text.max_tokens);
          EXPECT_EQ(text.result.prompt_tokens, text.prompt.size());
          ExpectAsAlone(model_, text, {.kv_type = kv, .num_threads = 2},
                        what + ", text " + std::to_string(i));
        }
      }
    }
  }
}

// Every text begins when another has come to its third token; some are
// cancelled or stopped half-way.
TEST_F(SchedulerTest, ComingAndGoingChangesNoText) {
  Texts texts;
  Scheduler scheduler(model_, {.slots = 3, .num_threads = 2});
  for (const Text& text : ManyTexts()) texts.Add(text);
  std::map<std::size_t, RequestId> numbers;
  std::map<std::size_t, std::size_t> seen;
  std::size_t next = 1;
  const std::function<bool(std::size_t)> on_token = [&](std::size_t i) {
    const std::size_t count = ++seen[i];
    const bool begins = count == std::min<std::size_t>(3, texts[i].max_tokens);
    if (begins && next < texts.size()) {
      const std::size_t other = next++;
      numbers[other] = texts.Submit(scheduler, other, on_token);
    }
    if (i % 4 == 1 && count == 4) scheduler.Cancel(numbers[i]);
    return i % 4 != 3 || count != 5;
  };
  texts.Submit(scheduler, 0, on_token);
  texts.WaitForAll();
  std::size_t cut = 0;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    EXPECT_EQ(texts[i].ends, 1);
    if (texts[i].result.reason != FinishReason::kLength) ++cut;
    ExpectAsAlone(model_, texts[i], {.num_threads = 1},
                  "text " + std::to_string(i));
  }
  EXPECT_GE(cut, 3U);
}

TEST_F(SchedulerTest, EveryFormOfTheHeadGivesTheTextsOfLoneSessions) {
  for (const HeadForm head :
       {HeadForm::kAsStored, HeadForm::kQ8, HeadForm::kScreened}) {
    const auto model = Model::Load(
        testing::GoldenDir() / "z1-bitnet-2b4t-packed", {.head = head});
    for (const std::size_t slots : {2U, 4U}) {
      Texts texts;
      Scheduler scheduler(
          model, {.slots = slots, .context_length = 64, .num_threads = 2});
      for (std::size_t i = 0; i < 5; ++i) {
        Text text;
        text.prompt = Prompt(20 * i, 4 + i);
        text.max_tokens = 6 + 2 * i;
        text.sampler.seed = i;
        text.sampler.temperature = i == 0 ? 0.0F : 0.9F;
        // No log probabilities: a screened head may then be screened.
        GenerateRequest request = texts.Request(texts.Add(text));
        request.top_logprobs = -1;
        scheduler.Submit(std::move(request));
      }
      texts.WaitForAll();
      for (std::size_t i = 0; i < texts.size(); ++i) {
        Session session(model, {.context_length = 64, .num_threads = 1});
        Sampler sampler(texts[i].sampler);
        session.Append(texts[i].prompt);
        for (const Token token : texts[i].ids) {
          ASSERT_EQ(session.Next(sampler), token) << "text " << i;
        }
      }
    }
  }
}

TEST_F(SchedulerTest, ALongPromptDoesNotHoldTheOthersUp) {
  Texts texts;
  Scheduler scheduler(model_,
                      {.slots = 2, .num_threads = 1, .pass_tokens = 32});
  const std::size_t talker = texts.Add({.prompt = Prompt(0, 4),
                                        .sampler = {.temperature = 0},
                                        .max_tokens = 200});
  std::size_t at_submit = 0;
  std::size_t at_first = 0;
  const std::size_t reader = texts.Add({.prompt = Prompt(9, 400),
                                        .sampler = {.temperature = 0},
                                        .max_tokens = 2});
  std::size_t spoken = 0;
  texts.Submit(scheduler, talker, [&](std::size_t) {
    if (++spoken == 5) {
      at_submit = spoken;
      texts.Submit(scheduler, reader, [&](std::size_t) {
        if (at_first == 0) at_first = spoken;
        return true;
      });
    }
    return true;
  });
  texts.WaitForEnd(talker);
  texts.WaitForEnd(reader);
  // 31 tokens of the prompt go with each of the talker's.
  EXPECT_GE(at_first - at_submit, 400U / 31U);
  EXPECT_LE(at_first - at_submit, 400U / 31U + 3);
  ExpectAsAlone(model_, texts[reader], {.num_threads = 1}, "reader");
}

TEST_F(SchedulerTest, AShortPromptDoesNotWaitForALongOne) {
  Texts texts;
  Scheduler scheduler(model_,
                      {.slots = 3, .num_threads = 1, .pass_tokens = 32});
  std::vector<std::size_t> order;
  const std::size_t talker = texts.Add({.prompt = Prompt(0, 4),
                                        .sampler = {.temperature = 0},
                                        .max_tokens = 60});
  const std::size_t reader = texts.Add({.prompt = Prompt(9, 400),
                                        .sampler = {.temperature = 0},
                                        .max_tokens = 1});
  const std::size_t brief = texts.Add({.prompt = Prompt(50, 20),
                                       .sampler = {.temperature = 0},
                                       .max_tokens = 1});
  const auto note = [&](std::size_t i) {
    order.push_back(i);
    return true;
  };
  bool begun = false;
  texts.Submit(scheduler, talker, [&](std::size_t) {
    if (!begun) {
      begun = true;
      texts.Submit(scheduler, reader, note);
      texts.Submit(scheduler, brief, note);
    }
    return true;
  });
  texts.WaitForAll();
  EXPECT_EQ(order, (std::vector<std::size_t>{brief, reader}));
}

TEST_F(SchedulerTest, AConversationGoesOnFromItsCache) {
  Texts texts;
  Scheduler scheduler(model_, {.slots = 2, .num_threads = 2});
  std::vector<Token> prompt = Prompt(0, 90);
  std::size_t there = 0;
  for (int turn = 0; turn < 3; ++turn) {
    const std::size_t i = texts.Add(
        {.prompt = prompt, .sampler = {.temperature = 0.9F}, .max_tokens = 20});
    texts.Submit(scheduler, i);
    texts.WaitForEnd(i);
    EXPECT_EQ(texts[i].result.reused_tokens, there) << turn;
    ExpectAsAlone(model_, texts[i], {.num_threads = 1}, "turn");
    // All but the last token that was generated have been run.
    there = prompt.size() + 19;
    prompt.insert(prompt.end(), texts[i].ids.begin(), texts[i].ids.end());
    const std::vector<Token> more = Prompt(200 + 20 * turn, 11);
    prompt.insert(prompt.end(), more.begin(), more.end());
  }
  EXPECT_EQ(scheduler.Statistics().prefix_hits, 2U);
}

TEST_F(SchedulerTest, ASharedBeginningIsCopiedAndStays) {
  Texts texts;
  Scheduler scheduler(model_, {.slots = 3, .num_threads = 2});
  // A long system prompt, a long first question, then two others.
  std::vector<Token> prompt = Prompt(0, 200);
  for (std::size_t turn = 0; turn < 3; ++turn) {
    std::vector<Token> question = prompt;
    const std::vector<Token> own = Prompt(10 + 17 * turn, turn == 0 ? 220 : 15);
    question.insert(question.end(), own.begin(), own.end());
    const std::size_t i = texts.Add({.prompt = question,
                                     .sampler = {.temperature = 0.9F},
                                     .max_tokens = 9});
    texts.Submit(scheduler, i);
    texts.WaitForEnd(i);
    EXPECT_EQ(texts[i].result.reused_tokens, turn == 0 ? 0U : 200U);
    ExpectAsAlone(model_, texts[i], {.num_threads = 1}, "turn");
  }
}

// Several answers to one prompt, asked for at once: it is read once.
TEST_F(SchedulerTest, EqualPromptsAtOnceAreReadOnce) {
  Texts texts;
  Scheduler scheduler(model_, {.slots = 4, .num_threads = 2});
  for (std::size_t i = 0; i < 4; ++i) {
    texts.Add({.prompt = Prompt(0, 300), .sampler = {.seed = i}});
  }
  for (std::size_t i = 0; i < 4; ++i) texts.Submit(scheduler, i);
  texts.WaitForAll();
  std::size_t reused = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    reused += texts[i].result.reused_tokens;
    ExpectAsAlone(model_, texts[i], {.num_threads = 1}, "answer");
  }
  EXPECT_EQ(reused, 3U * 299U);
  EXPECT_EQ(scheduler.Statistics().prompt_tokens, 300U + 3U);
  EXPECT_EQ(scheduler.Statistics().reused_tokens, 3U * 299U);
}

TEST_F(SchedulerTest, ARunningTextIsAlsoBegunFrom) {
  Texts texts;
  Scheduler scheduler(model_, {.slots = 2, .num_threads = 1});
  const std::size_t first = texts.Add(
      {.prompt = Prompt(0, 120), .sampler = {.seed = 3}, .max_tokens = 40});
  const std::size_t second = texts.Add(
      {.prompt = Prompt(0, 150), .sampler = {.seed = 4}, .max_tokens = 5});
  bool begun = false;
  texts.Submit(scheduler, first, [&](std::size_t) {
    if (!begun) texts.Submit(scheduler, second);
    begun = true;
    return true;
  });
  texts.WaitForAll();
  EXPECT_EQ(texts[second].result.reused_tokens, 120U);
  for (const std::size_t i : {first, second}) {
    ExpectAsAlone(model_, texts[i], {.num_threads = 1}, "text");
  }
}

}  // namespace
}  // namespace tern
