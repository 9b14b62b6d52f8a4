// Many texts at once from one model of random weights in the shape of BitNet
// 2B4T with its f16 head, as stored (BM_Texts) and screened (BM_ScreenedTexts),
// beside one text, beside a prompt of 512 tokens and beside reading memory: all
// of them in turn in every iteration, because the clock of a shared machine
// changes within seconds.  Argument: how many texts.
//
// tokens/s is the median of all texts together, prompt_tokens/s of the prompt,
// read_GB/s of reading; pass_GB is what a pass reads of the weights.
// of_one and of_prompt are the median rate of all texts together over that of
// one text and of the prompt; slowest is the time of the slowest text over that
// of the median one.
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <numeric>
#include <vector>

#include <benchmark/benchmark.h>

#include <tern/bandwidth.h>
#include <tern/model.h>
#include <tern/random_model.h>
#include <tern/scheduler.h>
#include <tern/session.h>

namespace tern::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kPrompt = 512;
constexpr std::size_t kTokens = 24;  // of each text
constexpr SamplerOptions kSampling = {.temperature = 0.8F, .top_k = 40};

// One model at a time.
std::shared_ptr<const Model> SharedModel(HeadForm head) {
  static std::shared_ptr<const Model> model;
  static HeadForm form = HeadForm::kAuto;
  if (model == nullptr || form != head) {
    model.reset();
    RandomModelOptions options;
    options.head = head;
    model = MakeRandomModel(RandomShape("bitnet-2b4t"), options);
    form = head;
  }
  return model;
}

double SecondsSince(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// Tokens a second of a prompt and the logits after it.
double PromptRate(Session& session) {
  std::vector<Token> prompt(kPrompt);
  std::iota(prompt.begin(), prompt.end(), 1000);
  session.Truncate(0);
  const Clock::time_point begin = Clock::now();
  session.Append(prompt);
  benchmark::DoNotOptimize(session.Logits().data());
  return kPrompt / SecondsSince(begin);
}

struct TextsRate {
  double tokens_per_second = 0;  // all texts together
  double slowest = 0;  // over the median text's time, from its first token on
};

// What texts at once do, noted by the scheduler's thread.
class Race {
 public:
  explicit Race(std::size_t texts) : texts_(texts), first_(texts) {}

  void Note(std::size_t text) {
    const Clock::time_point now = Clock::now();
    const std::lock_guard lock(mutex_);
    if (first_[text] == Clock::time_point{}) {
      first_[text] = now;
      if (++started_ != texts_) return;
      last_to_start_ = text;
      begin_ = now;
    } else if (started_ == texts_ && text == last_to_start_ && !is_thinned_) {
      ++passes_;
      end_ = now;
      is_thinned_ = !seconds_.empty();
    }
  }
  void End(std::size_t text) {
    const std::lock_guard lock(mutex_);
    seconds_.push_back(SecondsSince(first_[text]));
    ended_.notify_all();
  }
  TextsRate Wait() {
    std::unique_lock lock(mutex_);
    ended_.wait(lock, [&] { return seconds_.size() == texts_; });
    const double slowest = *std::max_element(seconds_.begin(), seconds_.end());
    return {static_cast<double>(texts_ * passes_) /
                std::chrono::duration<double>(end_ - begin_).count(),
            slowest / Median(seconds_)};
  }

 private:
  std::mutex mutex_;
  std::condition_variable ended_;
  std::size_t texts_;
  std::vector<Clock::time_point> first_;
  std::size_t started_ = 0;
  std::size_t last_to_start_ = 0;
  // Passes with a token of each text, from that text's first one on: a pass in
  // which the first text ends is still one of these, the next is not.
  std::size_t passes_ = 0;
  bool is_thinned_ = false;
  Clock::time_point begin_;
  Clock::time_point end_;
  std::vector<double> seconds_;
};

// Passes are counted while all texts are at work: from the first token of the
// last one, for its prompt of 4 is read beside the others' tokens, to the pass
// in which the first text ends.
TextsRate RateOf(Scheduler& scheduler, std::size_t texts) {
  Race race(texts);
  for (std::size_t i = 0; i < texts; ++i) {
    GenerateRequest request;
    const auto first = static_cast<Token>(1 + 10 * i);
    request.prompt = {first, first + 1, first + 2, first + 3};
    request.sampler = kSampling;
    request.sampler.seed = i;
    request.max_tokens = kTokens + 1;
    request.on_token = [&race, i](const GeneratedToken&) {
      race.Note(i);
      return true;
    };
    request.on_end = [&race, i](const GenerateResult&) { race.End(i); };
    scheduler.Submit(std::move(request));
  }
  return race.Wait();
}

void Texts(benchmark::State& state, HeadForm head) {
  const auto texts = static_cast<std::size_t>(state.range(0));
  constexpr std::size_t kContext = 1024;
  const auto model = SharedModel(head);
  Session session(model, {.context_length = kContext});
  Scheduler scheduler(model, {.slots = texts, .context_length = kContext});
  BandwidthProbe probe(scheduler.num_threads());
  std::vector<double> read;
  std::vector<double> prompts;
  std::vector<double> of_one;
  std::vector<double> of_prompt;
  std::vector<double> rates;
  std::vector<double> slowest;
  for (auto _ : state) {
    read.push_back(probe.Measure(scheduler.num_threads()));
    const double prompt = PromptRate(session);
    prompts.push_back(prompt);
    const double one = RateOf(scheduler, 1).tokens_per_second;
    const TextsRate all = RateOf(scheduler, texts);
    rates.push_back(all.tokens_per_second);
    of_one.push_back(all.tokens_per_second / one);
    of_prompt.push_back(all.tokens_per_second / prompt);
    slowest.push_back(all.slowest);
  }
  state.counters["tokens/s"] = Median(rates);
  state.counters["of_one"] = Median(of_one);
  state.counters["of_prompt"] = Median(of_prompt);
  state.counters["slowest"] = Median(slowest);
  state.counters["prompt_tokens/s"] = Median(prompts);
  state.counters["read_GB/s"] = Median(read);
  state.counters["pass_GB"] =
      static_cast<double>(model->bytes_per_token()) / 1e9;
}
void BM_Texts(benchmark::State& state) { Texts(state, HeadForm::kAsStored); }
void BM_ScreenedTexts(benchmark::State& state) {
  Texts(state, HeadForm::kScreened);
}
void Arguments(benchmark::internal::Benchmark* bench) {
  bench->RangeMultiplier(2)
      ->Range(1, 32)
      ->Iterations(3)
      ->Unit(benchmark::kSecond)
      ->UseRealTime();
}
BENCHMARK(BM_Texts)->Apply(Arguments);
BENCHMARK(BM_ScreenedTexts)->Apply(Arguments);

}  // namespace
}  // namespace tern::bench

BENCHMARK_MAIN();
