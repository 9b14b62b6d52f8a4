// Requests of a scheduler and what comes of them, beside the same texts from a
// Session of their own.
#ifndef TERN_TESTS_RUNTIME_SCHEDULER_TEXTS_H_
#define TERN_TESTS_RUNTIME_SCHEDULER_TEXTS_H_

#include <algorithm>
#include <cmath>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <tern/scheduler.h>
#include <tern/session.h>

namespace tern::testing {

// What a request asked for, and what was said to it.
struct Text {
  std::vector<Token> prompt = {};
  SamplerOptions sampler = {};
  std::size_t max_tokens = 8;

  std::vector<Token> ids = {};
  std::vector<float> logprobs = {};
  std::vector<std::vector<TokenLogprob>> top = {};
  GenerateResult result = {};
  int ends = 0;
};

inline constexpr int kTop = 20;

// Texts whose callbacks come from the scheduler's thread.
class Texts {
 public:
  // Called for each token, with its text, without the lock.
  using OnToken = std::function<bool(std::size_t text)>;

  std::size_t Add(Text text) {
    const std::lock_guard lock(mutex_);
    texts_.push_back(std::make_unique<Text>(std::move(text)));
    return texts_.size() - 1;
  }

  GenerateRequest Request(std::size_t i, OnToken on_token = nullptr) {
    Text& text = *texts_[i];
    GenerateRequest request;
    request.prompt = text.prompt;
    request.sampler = text.sampler;
    request.max_tokens = text.max_tokens;
    request.top_logprobs = kTop;
    request.on_token = [this, &text, i, on_token](const GeneratedToken& t) {
      {
        const std::lock_guard lock(mutex_);
        text.ids.push_back(t.token);
        text.logprobs.push_back(t.logprob);
        text.top.emplace_back(t.top.begin(), t.top.end());
      }
      changed_.notify_all();
      return !on_token || on_token(i);
    };
    request.on_end = [this, &text](const GenerateResult& result) {
      {
        const std::lock_guard lock(mutex_);
        text.result = result;
        ++text.ends;
      }
      changed_.notify_all();
    };
    return request;
  }

  RequestId Submit(Scheduler& scheduler, std::size_t i,
                   OnToken on_token = nullptr) {
    return scheduler.Submit(Request(i, std::move(on_token)));
  }

  void WaitForEnd(std::size_t i) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return texts_[i]->ends > 0; });
  }
  void WaitForAll() {
    for (std::size_t i = 0; i < texts_.size(); ++i) WaitForEnd(i);
  }
  void WaitForTokens(std::size_t i, std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return texts_[i]->ids.size() >= count; });
  }

  // Of a text that has ended.
  const Text& operator[](std::size_t i) const { return *texts_[i]; }
  [[nodiscard]] std::size_t size() const { return texts_.size(); }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::unique_ptr<Text>> texts_;
};

inline bool AreEqual(const std::vector<TokenLogprob>& a,
                     const std::vector<TokenLogprob>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const TokenLogprob& x, const TokenLogprob& y) {
                      return x.token == y.token && x.logprob == y.logprob;
                    });
}

// The likeliest tokens by sorting all of them.
inline std::vector<TokenLogprob> TopOf(std::span<const float> logits,
                                       double log_sum) {
  std::vector<TokenLogprob> all;
  for (std::size_t t = 0; t < logits.size(); ++t) {
    all.push_back(
        {static_cast<Token>(t), static_cast<float>(logits[t] - log_sum)});
  }
  std::stable_sort(all.begin(), all.end(),
                   [&](const TokenLogprob& a, const TokenLogprob& b) {
                     return logits[static_cast<std::size_t>(a.token)] >
                            logits[static_cast<std::size_t>(b.token)];
                   });
  all.resize(kTop);
  return all;
}

// The same text from a session that does nothing else.
inline void ExpectAsAlone(const std::shared_ptr<const Model>& model,
                          const Text& text, const SessionOptions& options,
                          const std::string& what) {
  Session session(model, options);
  Sampler sampler(text.sampler);
  session.Append(text.prompt);
  for (std::size_t i = 0; i < text.ids.size(); ++i) {
    const std::span<const float> logits = session.Logits().first(
        model->has_tokenizer() ? model->tokenizer().vocab_size()
                               : model->config().vocab_size);
    const double best = *std::max_element(logits.begin(), logits.end());
    double sum = 0;
    for (const float logit : logits) sum += std::exp(logit - best);
    const double log_sum = best + std::log(sum);
    ASSERT_TRUE(AreEqual(text.top[i], TopOf(logits, log_sum)))
        << what << ", " << i;
    const std::vector<float> before(logits.begin(), logits.end());
    const Token token = session.Next(sampler);
    ASSERT_EQ(text.ids[i], token) << what << ", token " << i;
    ASSERT_EQ(
        text.logprobs[i],
        static_cast<float>(before[static_cast<std::size_t>(token)] - log_sum));
  }
}

}  // namespace tern::testing

#endif  // TERN_TESTS_RUNTIME_SCHEDULER_TEXTS_H_
