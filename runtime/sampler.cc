#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

#include <tern/error.h>
#include <tern/sampler.h>

namespace tern {
namespace {

constexpr float kMaxFloat = std::numeric_limits<float>::max();

void Check(bool holds, const char* option, const char* allowed) {
  if (holds) return;
  throw Error(ErrorCode::kInvalidArgument,
              std::string("SamplerOptions.") + option +
                  ": the value has no meaning; give " + allowed);
}

void CheckOptions(const SamplerOptions& o) {
  // Written so that NaN fails every one of them.
  Check(o.temperature >= 0 && o.temperature <= kMaxFloat, "temperature",
        "a finite number of at least 0");
  Check(o.top_k >= 0, "top_k", "0 (all) or the number of tokens to keep");
  Check(o.top_p > 0 && o.top_p <= 1, "top_p", "a number above 0 and at most 1");
  Check(o.min_p >= 0 && o.min_p <= 1, "min_p", "a number from 0 to 1");
  Check(o.repeat_last_n >= -1, "repeat_last_n",
        "-1 (all), 0 (none) or a number of tokens");
  Check(o.repeat_penalty > 0 && o.repeat_penalty <= kMaxFloat, "repeat_penalty",
        "a finite number above 0");
  Check(std::isfinite(o.presence_penalty), "presence_penalty",
        "a finite number");
  Check(std::isfinite(o.frequency_penalty), "frequency_penalty",
        "a finite number");
}

bool HasPenalties(const SamplerOptions& o) {
  return o.repeat_last_n != 0 &&
         (o.repeat_penalty != 1.0F || o.presence_penalty != 0.0F ||
          o.frequency_penalty != 0.0F);
}

// The penalised logit, kept finite: an absurd penalty must not turn into an
// infinity or a NaN that poisons every other probability.
float Penalise(float logit, int count, const SamplerOptions& o) {
  const double repeat = o.repeat_penalty;
  double value = logit > 0 ? logit / repeat : logit * repeat;
  value -= o.presence_penalty;
  value -= static_cast<double>(o.frequency_penalty) * count;
  return static_cast<float>(std::clamp(value, -static_cast<double>(kMaxFloat),
                                       static_cast<double>(kMaxFloat)));
}

[[noreturn]] void RefuseLogit(std::size_t id) {
  throw Error(ErrorCode::kInvalidArgument,
              "logits[" + std::to_string(id) +
                  "]: not a number or infinite; the model or the numbers given "
                  "to it are damaged");
}

// True if a logit is larger than `best`, or no number or +infinity.  Without a
// branch, so that compilers make vectors of it: one by one 128256 of them take
// five times as long (both in turn, g++ 12, SSE2).
bool AnyAbove(std::span<const float> logits, float best) {
  std::uint32_t above = 0;
  for (const float logit : logits) above |= logit <= best ? 0U : 1U;
  return above != 0;
}

// The id of the largest logit, the lowest one of equals.
Token ArgMax(std::span<const float> logits) {
  constexpr std::size_t kBlock = 256;
  float best = -std::numeric_limits<float>::infinity();
  std::size_t best_id = 0;
  for (std::size_t begin = 0; begin < logits.size(); begin += kBlock) {
    const std::size_t end = std::min(begin + kBlock, logits.size());
    if (!AnyAbove(logits.subspan(begin, end - begin), best)) continue;
    for (std::size_t id = begin; id < end; ++id) {
      if (!(logits[id] <= kMaxFloat)) RefuseLogit(id);  // NaN or +infinity
      if (logits[id] <= best) continue;
      best = logits[id];
      best_id = id;
    }
  }
  if (!(best >= -kMaxFloat)) {
    throw Error(ErrorCode::kInvalidArgument,
                "logits: none is finite; there is no token to choose");
  }
  return static_cast<Token>(best_id);
}

}  // namespace

Sampler::Sampler(const SamplerOptions& options)
    : options_(options), random_(options.seed) {
  CheckOptions(options);
}

// The order of the candidates: larger logits first, lower ids first of equals.
// A total order, so that what is kept does not depend on the library's
// selection algorithm.
bool Sampler::Before(const Candidate& a, const Candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.token < b.token;
}

Token Sampler::Sample(std::span<const float> logits,
                      std::span<const Token> context) {
  if (HasPenalties(options_)) {
    ApplyPenalties(logits, context);
    logits = logits_;
  }
  const Token greedy = ArgMax(logits);
  if (options_.temperature == 0 || options_.top_k == 1) return greedy;
  KeepTopK(logits);
  ComputeWeights(logits[static_cast<std::size_t>(greedy)]);
  KeepTopP();
  KeepMinP();
  return Draw();
}

// Fills logits_: each distinct token among the last ones is penalised once,
// with the number of times that it occurs there.
void Sampler::ApplyPenalties(std::span<const float> logits,
                             std::span<const Token> context) {
  logits_.assign(logits.begin(), logits.end());
  counts_.resize(logits.size(), 0);
  if (options_.repeat_last_n > 0) {
    context = context.last(std::min<std::size_t>(
        context.size(), static_cast<std::size_t>(options_.repeat_last_n)));
  }
  for (const Token token : context) {
    if (token < 0 || static_cast<std::size_t>(token) >= logits.size()) {
      throw Error(ErrorCode::kInvalidArgument,
                  "context: token " + std::to_string(token) +
                      " has no logit; give ids below " +
                      std::to_string(logits.size()));
    }
  }
  for (const Token token : context) ++counts_[static_cast<std::size_t>(token)];
  for (const Token token : context) {
    int& count = counts_[static_cast<std::size_t>(token)];
    float& logit = logits_[static_cast<std::size_t>(token)];
    if (count > 0 && std::isfinite(logit)) {
      logit = Penalise(logit, count, options_);
    }
    count = 0;
  }
}

// Fills candidates_ with the tokens that the filter leaves: those with finite
// logits in the order of their ids, or the best top_k of them in the order of
// Before().  One pass over the logits: candidates gather in a buffer of twice
// the size that is wanted, and each time it is full the worse half goes, after
// which only better logits than the worst kept one are looked at.  With 128256
// logits and top_k 40 few ever are, and nothing of size vocab_size is sorted.
void Sampler::KeepTopK(std::span<const float> logits) {
  candidates_.clear();
  const std::size_t keep = options_.top_k == 0
                               ? logits.size()
                               : static_cast<std::size_t>(options_.top_k);
  const auto cut = [&] {
    std::nth_element(candidates_.begin(),
                     candidates_.begin() + static_cast<std::ptrdiff_t>(keep),
                     candidates_.end(), Before);
    candidates_.resize(keep);
  };
  float threshold = -std::numeric_limits<float>::infinity();
  for (std::size_t id = 0; id < logits.size(); ++id) {
    // Ids rise, so an equal of the worst kept candidate would come after it.
    if (logits[id] <= threshold) continue;
    candidates_.push_back({static_cast<Token>(id), logits[id], 0.0F});
    if (candidates_.size() < keep || candidates_.size() - keep < keep) continue;
    cut();
    threshold =
        std::max_element(candidates_.begin(), candidates_.end(), Before)->logit;
  }
  if (candidates_.size() > keep) cut();
  if (options_.top_k != 0) {
    std::sort(candidates_.begin(), candidates_.end(), Before);
  }
}

// The difference to the best logit is taken before the division, so that no
// temperature overflows: the best weight is exp(0) = 1, others at least 0.
void Sampler::ComputeWeights(float best) {
  const double temperature = options_.temperature;
  for (Candidate& candidate : candidates_) {
    const double difference = static_cast<double>(candidate.logit) - best;
    candidate.weight = static_cast<float>(std::exp(difference / temperature));
  }
}

// Keeps the shortest run of best candidates that holds top_p of the mass.  The
// run is mostly short, so it is selected and sorted in pieces that grow
// fourfold rather than by sorting everything.
void Sampler::KeepTopP() {
  if (options_.top_p >= 1.0F) return;
  double total = 0;
  for (const Candidate& candidate : candidates_) total += candidate.weight;
  const double wanted = total * options_.top_p;
  double mass = 0;
  std::size_t sorted = 0;  // candidates_[0, sorted) are the best, in order
  for (std::size_t next = 64; sorted < candidates_.size(); next *= 4) {
    const auto begin =
        candidates_.begin() + static_cast<std::ptrdiff_t>(sorted);
    const std::size_t end_index = std::min(next, candidates_.size());
    const auto end =
        candidates_.begin() + static_cast<std::ptrdiff_t>(end_index);
    std::nth_element(begin, end, candidates_.end(), Before);
    std::sort(begin, end, Before);
    for (; sorted < end_index; ++sorted) {
      mass += candidates_[sorted].weight;
      if (mass >= wanted) {
        candidates_.resize(sorted + 1);
        return;
      }
    }
  }
}

// The best candidate's weight is 1, so a weight is the share of the best.
void Sampler::KeepMinP() {
  if (options_.min_p == 0.0F) return;
  std::erase_if(candidates_, [this](const Candidate& candidate) {
    return candidate.weight < options_.min_p;
  });
}

// One number from the generator for each draw, made uniform in [0, 1) by hand:
// what std::discrete_distribution does with it differs between standard
// libraries.
Token Sampler::Draw() {
  double total = 0;
  for (const Candidate& candidate : candidates_) total += candidate.weight;
  const double uniform = static_cast<double>(random_() >> 11) * 0x1.0p-53;
  const double target = uniform * total;
  double sum = 0;
  Token last = 0;
  for (const Candidate& candidate : candidates_) {
    if (candidate.weight == 0.0F) continue;
    sum += candidate.weight;
    last = candidate.token;
    if (target < sum) break;
  }
  return last;
}

}  // namespace tern
