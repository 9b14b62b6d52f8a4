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
constexpr std::size_t kTokens = 12;  // of each text
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
  double slowest = 0;            // over the median text's time
};

// From the first token of the first text on: prompts are of 4 tokens.
TextsRate RateOf(Scheduler& scheduler, std::size_t texts) {
  std::mutex mutex;
  std::condition_variable ended;
  std::vector<double> seconds;
  Clock::time_point begin = Clock::now();
  for (std::size_t i = 0; i < texts; ++i) {
    GenerateRequest request;
    const auto first = static_cast<Token>(1 + 10 * i);
    request.prompt = {first, first + 1, first + 2, first + 3};
    request.sampler = kSampling;
    request.sampler.seed = i;
    request.max_tokens = kTokens + 1;
    request.on_token = [&, is_first = true](const GeneratedToken&) mutable {
      if (is_first && i == 0) begin = Clock::now();
      is_first = false;
      return true;
    };
    request.on_end = [&](const GenerateResult&) {
      const std::lock_guard lock(mutex);
      seconds.push_back(SecondsSince(begin));
      ended.notify_all();
    };
    scheduler.Submit(std::move(request));
  }
  std::unique_lock lock(mutex);
  ended.wait(lock, [&] { return seconds.size() == texts; });
  const double all = *std::max_element(seconds.begin(), seconds.end());
  return {static_cast<double>(texts * kTokens) / all, all / Median(seconds)};
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
