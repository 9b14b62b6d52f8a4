#include "cli/bench_measure.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <memory>
#include <random>
#include <span>
#include <utility>

#include <tern/bandwidth.h>
#include <tern/cpu.h>
#include <tern/reference_check.h>
#include <tern/sampler.h>

#include "cli/bench_figures.h"
#include "cli/io.h"
#include "cli/loading.h"
#include "cli/peak_memory.h"
#include "cli/progress.h"
#include "cli/text.h"

namespace tern::cli {
namespace {

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// A model that is measured.
struct Contender {
  std::string name;
  HeadForm head = HeadForm::kAuto;
  std::shared_ptr<const Model> model;
  double load_seconds = 0;
  std::uint64_t load_growth = 0;   // of memory, at the most
  std::uint64_t model_growth = 0;  // and what stayed
  // Where the model is some layers of a shape: those of the shape for each of
  // them, and the bytes of the head, which is missing.
  double layers_factor = 1;
  std::uint64_t head_bytes = 0;

  [[nodiscard]] bool IsStandIn() const { return head_bytes != 0; }
  [[nodiscard]] std::string Title() const {
    return name + " " + model->linear_type() +
           (IsStandIn() ? ", layers alone: " +
                              std::to_string(model->config().num_layers)
                        : "");
  }
};

// A session of a contender with some number of threads.
struct Lane {
  const Contender* contender = nullptr;
  int threads = 0;
  std::unique_ptr<Session> session;
  std::uint64_t peak_growth = 0;  // of the contender and this session
};

struct Sample {
  double seconds_per_token = 0;
  double bytes_per_token = 0;
};

// One sample in each of some lanes, and how fast memory was read before the
// first and after each.
struct Round {
  std::vector<Sample> samples;
  std::vector<double> bandwidths;
};

std::string FileName(const std::string& path) {
  const auto normal = std::filesystem::absolute(path).lexically_normal();
  return (normal.has_filename() ? normal : normal.parent_path())
      .filename()
      .string();
}

int MostThreads(const BenchOptions& options) {
  return *std::max_element(options.threads.begin(), options.threads.end());
}

bool IsStandIn(const BenchOptions& options, WeightFormat format) {
  return options.f16_layers != 0 && format == WeightFormat::kF16;
}

// Some layers of a shape, with next to no vocabulary.
ModelConfig StandIn(ModelConfig config, std::size_t layers) {
  constexpr std::size_t kVocabulary = 64;  // rows that are checked
  config.num_layers = layers;
  config.vocab_size = kVocabulary;
  config.tied_head = true;
  return config;
}

std::shared_ptr<const Model> LoadOrMake(const BenchOptions& options,
                                        WeightFormat format, HeadForm head,
                                        std::string* name) {
  const int threads = MostThreads(options);
  if (options.shape.empty()) {
    const std::string path = ChooseModel(options.model).string();
    *name = FileName(path);
    ComputeOptions compute;
    compute.file = options.file;
    compute.format = options.format;
    compute.num_threads = threads;
    compute.head = head;
    return LoadModel(path, compute);
  }
  *name = options.shape;
  Progress bar("making " + options.shape);
  RandomModelOptions random;
  random.format = format;
  random.head = head;
  random.num_threads = threads;
  random.progress = [&bar](double fraction) { bar.Update(fraction); };
  ModelConfig config = RandomShape(options.shape);
  CheckBenchContext(options, config);
  if (options.format.input_type) config.input_type = *options.format.input_type;
  if (IsStandIn(options, format)) {
    config = StandIn(std::move(config), options.f16_layers);
  }
  return MakeRandomModel(config, random);
}

Contender Prepare(const BenchOptions& options, WeightFormat format,
                  HeadForm head) {
  Contender contender;
  contender.head = head;
  const PeakMemory memory;
  const std::uint64_t before = ResidentBytes();
  const Clock::time_point start = Clock::now();
  contender.model = LoadOrMake(options, format, head, &contender.name);
  contender.load_seconds = SecondsSince(start);
  contender.load_growth = memory.Growth();
  const std::uint64_t after = ResidentBytes();
  contender.model_growth = after > before ? after - before : 0;
  const Model& model = *contender.model;
  CheckBenchContext(options, model.config());
  if (IsStandIn(options, format)) {
    const ModelConfig whole = RandomShape(options.shape);
    contender.layers_factor = static_cast<double>(whole.num_layers) /
                              static_cast<double>(options.f16_layers);
    contender.head_bytes =
        whole.vocab_size * whole.hidden_size * sizeof(std::uint16_t);
  }
  const std::string name = contender.Title();
  Note(name + ": " + HumanBytes(model.weights_bytes()) + " of weights in " +
       Fixed(contender.load_seconds, 1) + " s");
  const ReferenceCheck check =
      CheckAgainstReference(model, options.threads.front());
  Note(name + ": " + std::to_string(check.outputs) + " outputs of " +
       std::to_string(check.rows) + " rows of " +
       std::to_string(check.matrices) + " matrices are those of plain loops" +
       (check.head ? "" : "; the q8 head was left out"));
  return contender;
}

// Formats, each with all heads.
std::vector<Contender> PrepareAll(const BenchOptions& options) {
  const std::size_t heads = options.heads.size();
  std::vector<Contender> contenders(options.formats.size() * heads);
  // The larger format first: if there is no room for it, that is told at once.
  for (const bool is_f16 : {true, false}) {
    for (std::size_t i = 0; i < contenders.size(); ++i) {
      const WeightFormat format = options.formats[i / heads];
      if ((format == WeightFormat::kF16) != is_f16) continue;
      contenders[i] = Prepare(options, format, options.heads[i % heads]);
    }
  }
  return contenders;
}

std::vector<Token> RandomTokens(std::size_t count, const Model& model) {
  std::mt19937 random(1);
  std::vector<Token> tokens(count);
  for (Token& token : tokens) {
    token = static_cast<Token>(random() % model.config().vocab_size);
  }
  return tokens;
}

// Brings the session to `start` tokens, all of them run, and its team of
// threads out of its sleep.
void GoToStart(std::size_t start, const Model& model, Session& session) {
  if (session.tokens().size() < start) {
    session.Truncate(0);
    session.Append(RandomTokens(start, model));
  }
  session.Truncate(start);
  if (start == 0) session.Append(RandomTokens(1, model));
  (void)session.Logits();
  if (start == 0) session.Truncate(0);
}

Sample TakeSample(const BenchOptions& options, const BenchTest& test,
                  const Lane& lane) {
  const Model& model = *lane.contender->model;
  Session& session = *lane.session;
  GoToStart(options.Start(test), model, session);
  const std::vector<Token> prompt =
      RandomTokens(test.decodes ? 0 : test.tokens, model);
  Sampler greedy({.temperature = 0});
  // Next gives the token at once and runs it when the following one is asked
  // for: after this one, each Next is one pass through layers and head.
  if (test.decodes) (void)session.Next(greedy);
  const std::uint64_t bytes = session.bytes_read();
  const Clock::time_point start = Clock::now();
  if (test.decodes) {
    for (std::size_t i = 0; i < test.tokens; ++i) (void)session.Next(greedy);
  } else {
    session.Append(prompt);
    (void)session.Logits();
  }
  const double seconds = SecondsSince(start);
  const auto tokens = static_cast<double>(test.tokens);
  return {seconds / tokens,
          static_cast<double>(session.bytes_read() - bytes) / tokens};
}

// A session, and every test once: the warm-up, and how much memory it takes.
Lane WarmUp(const BenchOptions& options, const Contender& contender,
            int threads) {
  Lane lane;
  lane.contender = &contender;
  lane.threads = threads;
  const PeakMemory memory;
  lane.session = std::make_unique<Session>(
      contender.model, SessionOptions{.context_length = options.ContextLength(),
                                      .kv_type = options.kv_type,
                                      .num_threads = threads});
  for (const BenchTest& test : options.tests) {
    const Sample sample = TakeSample(options, test, lane);
    Note(contender.Title() + ": " + test.Name() + ", " +
         std::to_string(threads) + (threads == 1 ? " thread" : " threads") +
         ": warm-up, " + Fixed(1 / sample.seconds_per_token, 1) + " tokens/s");
  }
  lane.peak_growth =
      std::max(contender.load_growth, contender.model_growth + memory.Growth());
  return lane;
}

// The lanes of one number of threads lie side by side, so that what is compared
// is timed one after the other.
std::vector<Lane> WarmUpAll(const BenchOptions& options,
                            const std::vector<Contender>& contenders) {
  std::vector<Lane> lanes;
  for (const int threads : options.threads) {
    for (const Contender& contender : contenders) {
      lanes.push_back(WarmUp(options, contender, threads));
    }
  }
  return lanes;
}

// Weights of all linear layers: what one token adds, subtracts or skips.
std::uint64_t LayerWeights(const ModelConfig& config) {
  const std::uint64_t heads = config.num_heads + config.num_kv_heads;
  const std::uint64_t attention = 2 * heads * config.head_dim;  // q, o, k, v
  return config.num_layers * config.hidden_size *
         (attention + 3 * config.ffn_size);
}

// What a result says of some layers becomes what it says of all.
void MakeWhole(const BenchOptions& options, double factor,
               BenchResult& result) {
  const auto times = [factor](std::uint64_t bytes) {
    return static_cast<std::uint64_t>(
        std::llround(static_cast<double>(bytes) * factor));
  };
  result.computed_from_layers = options.f16_layers;
  result.weights_bytes =
      RandomModelBytes(RandomShape(options.shape), WeightFormat::kF16);
  result.layers_bytes = times(result.layers_bytes);
  result.layer_weights = times(result.layer_weights);
  result.cache_bytes = times(result.cache_bytes);
  result.peak_rss_bytes = 0;
}

BenchResult EmptyResult(const BenchOptions& options, const BenchTest& test,
                        const Lane& lane) {
  BenchResult result;
  result.model = lane.contender->name;
  result.format = lane.contender->model->linear_type();
  result.head = lane.contender->head;
  result.test = test;
  result.depth = options.depth;
  result.context = options.Start(test) + test.tokens;
  result.threads = lane.threads;
  result.weights_bytes = lane.contender->model->weights_bytes();
  result.mapped_bytes = lane.contender->model->mapped_bytes();
  result.layers_bytes = lane.contender->model->layers_bytes();
  result.layer_weights = LayerWeights(lane.contender->model->config());
  result.cache_bytes = lane.session->cache_bytes();
  result.scratch_bytes = lane.session->scratch_bytes();
  result.peak_rss_bytes = lane.peak_growth;
  result.load_seconds = lane.contender->load_seconds;
  if (lane.contender->IsStandIn()) {
    MakeWhole(options, lane.contender->layers_factor, result);
  }
  return result;
}

// What all layers and the head would take.
Sample WholeSample(const Sample& layers, const Contender& contender,
                   const BenchTest& test, double bandwidth) {
  const double head_bytes =
      static_cast<double>(contender.head_bytes) /
      (test.decodes ? 1 : static_cast<double>(test.tokens));
  return {WholeSeconds(layers.seconds_per_token, contender.layers_factor,
                       head_bytes, bandwidth),
          layers.bytes_per_token * contender.layers_factor + head_bytes};
}

Round TakeRound(const BenchOptions& options, const BenchTest& test,
                std::span<const Lane> lanes, BandwidthProbe& probe) {
  Round round;
  round.bandwidths.push_back(probe.Measure(lanes.front().threads));
  for (const Lane& lane : lanes) {
    const Sample sample = TakeSample(options, test, lane);
    const double bandwidth = probe.Measure(lane.threads);
    round.bandwidths.push_back(bandwidth);
    round.samples.push_back(
        WholeSample(sample, *lane.contender, test, bandwidth));
  }
  return round;
}

// Results of one test, one a lane, all of as many threads.
struct Match {
  std::span<const Lane> lanes;
  std::span<BenchResult> results;
  std::size_t repeats_left = 0;
};

void AddRound(const BenchOptions& options, BandwidthProbe& probe,
              Match& match) {
  const BenchTest test = match.results.front().test;
  Round round = TakeRound(options, test, match.lanes, probe);
  for (; !IsSteady(round.bandwidths) && match.repeats_left > 0;
       --match.repeats_left) {
    round = TakeRound(options, test, match.lanes, probe);
    for (BenchResult& result : match.results) ++result.repeated_rounds;
  }
  for (std::size_t i = 0; i < match.results.size(); ++i) {
    BenchResult& result = match.results[i];
    result.samples.push_back(1 / round.samples[i].seconds_per_token);
    result.bytes_read_per_token = round.samples[i].bytes_per_token;
    result.bandwidths_before.push_back(round.bandwidths[i]);
    result.bandwidths.push_back(round.bandwidths[i + 1]);
  }
}

// Those of one test with one number of threads are compared with each other:
// formats and heads.
std::vector<Match> Matches(const BenchOptions& options,
                           std::span<const Lane> lanes,
                           std::span<BenchResult> results) {
  const std::size_t size = lanes.size() / options.threads.size();
  std::vector<Match> matches;
  for (std::size_t i = 0; i < results.size(); i += size) {
    matches.push_back({lanes.subspan(i % lanes.size(), size),
                       results.subspan(i, size), options.repetitions / 2});
  }
  return matches;
}

// A round of every test and number of threads, then the next of each.
std::vector<BenchResult> TakeTurns(const BenchOptions& options,
                                   const std::vector<Lane>& lanes,
                                   BandwidthProbe& probe) {
  std::vector<BenchResult> results;
  for (const BenchTest& test : options.tests) {
    for (const Lane& lane : lanes) {
      results.push_back(EmptyResult(options, test, lane));
    }
  }
  std::vector<Match> matches = Matches(options, lanes, results);
  Progress bar("measuring");
  const std::size_t steps = options.repetitions * matches.size();
  for (std::size_t step = 0; step < steps; ++step) {
    Match& match = matches[step % matches.size()];
    bar.Update(static_cast<double>(step) / static_cast<double>(steps),
               match.results.front().test.Name());
    AddRound(options, probe, match);
  }
  return results;
}

}  // namespace

std::vector<BenchResult> Measure(const BenchOptions& options) {
  ChooseTarget(options.target);
  const std::uint64_t program = ResidentBytes();
  const std::vector<Contender> contenders = PrepareAll(options);
  // Filled by as many threads as the weights were.
  BandwidthProbe probe(MostThreads(options));
  const std::vector<Lane> lanes = WarmUpAll(options, contenders);
  std::vector<BenchResult> results = TakeTurns(options, lanes, probe);
  for (BenchResult& result : results) {
    if (result.computed_from_layers == 0) result.peak_rss_bytes += program;
  }
  return results;
}

}  // namespace tern::cli
