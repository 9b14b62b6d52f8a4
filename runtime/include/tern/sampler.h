// Chooses the next token from logits.
//
// In this order, which is that of Hugging Face transformers: penalties for
// tokens seen before, division by the temperature, top-k, top-p, min-p, then
// one draw.  The same seed, options and logits give the same tokens on every
// machine: the generator is std::mt19937_64 and the draw uses no
// implementation-defined distribution.
//
// A Sampler belongs to one thread at a time.
#ifndef TERN_SAMPLER_H_
#define TERN_SAMPLER_H_

#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <vector>

#include <tern/api.h>
#include <tern/tokenizer.h>

namespace tern {

struct SamplerOptions {
  float temperature = 0.8F;  // 0: always the largest logit (greedy)
  int top_k = 40;            // keep this many of the largest; 0: all
  float top_p = 0.95F;  // keep the smallest set with this much mass; 1: all
  float min_p = 0.0F;   // drop those below this share of the best; 0: none
  // Penalties look at the last `repeat_last_n` tokens (0: none, -1: all).
  int repeat_last_n = 64;
  float repeat_penalty = 1.0F;  // divides positive logits, multiplies negative
  float presence_penalty = 0.0F;   // subtracted once if the token was seen
  float frequency_penalty = 0.0F;  // subtracted for each time it was seen
  std::uint64_t seed = 0;
};

class TERN_API Sampler {
 public:
  // Throws Error (kInvalidArgument) for values without a meaning: a negative
  // temperature or top_k, top_p outside (0, 1], min_p outside [0, 1],
  // repeat_last_n below -1, a repeat_penalty that is not positive, anything
  // that is not finite.
  explicit Sampler(const SamplerOptions& options = {});

  // `logits` [vocab_size], `context` the tokens so far.  Ties go to the lowest
  // id; a logit of -infinity is never chosen.  Throws Error (kInvalidArgument)
  // if a logit is NaN or +infinity, if none is finite, or if `context` names a
  // token that has no logit.
  Token Sample(std::span<const float> logits, std::span<const Token> context);

  [[nodiscard]] const SamplerOptions& options() const { return options_; }

 private:
  struct Candidate {
    Token token;
    float logit;
    // exp((logit - best logit) / temperature): the probability but for a common
    // factor, in 0..1.
    float weight;
  };
  static bool Before(const Candidate& a, const Candidate& b);
  void ApplyPenalties(std::span<const float> logits,
                      std::span<const Token> context);
  void KeepTopK(std::span<const float> logits);
  void ComputeWeights(float best);
  void KeepTopP();
  void KeepMinP();
  Token Draw();

  SamplerOptions options_;
  std::mt19937_64 random_;
  // Reused from call to call:
  std::vector<float> logits_;          // [vocab_size], after the penalties
  std::vector<int> counts_;            // [vocab_size], all 0 between calls
  std::vector<Candidate> candidates_;  // what is still left to draw from
};

}  // namespace tern

#endif  // TERN_SAMPLER_H_
