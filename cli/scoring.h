// Perplexity: which tokens are scored after which, and how a score is taken.
#ifndef TERN_CLI_SCORING_H_
#define TERN_CLI_SCORING_H_

#include <cstddef>
#include <span>
#include <vector>

#include <tern/tokenizer.h>

namespace tern::cli {

// Tokens [begin, begin + length) of a text are given to the model together, and
// those from begin + first_scored on are scored, each by the logits after the
// token before it; first_scored is at least 1.
struct ScoringWindow {
  std::size_t begin = 0;
  std::size_t length = 0;
  std::size_t first_scored = 1;
};

// llama-perplexity's protocol: chunks of `context` tokens side by side, in each
// of which the logits at context/2 .. context-2 score the token that follows;
// the rest of the text is dropped.  `context` at least 4.
std::vector<ScoringWindow> ChunkWindows(std::size_t num_tokens,
                                        std::size_t context);

// Windows of `context` tokens, each `stride` further than the one before and
// scoring its last `stride` tokens, the first one all but its first.  The last
// window ends with the text, so that every token but the first of the text is
// scored once.  `stride` from 1 to context-1, at least 2 tokens.
std::vector<ScoringWindow> SlidingWindows(std::size_t num_tokens,
                                          std::size_t context,
                                          std::size_t stride);

// -log softmax(logits)[token] in nats: a log-sum-exp in double relative to the
// largest logit.  NaN if a logit is.
double NegativeLogLikelihood(std::span<const float> logits, Token token);

}  // namespace tern::cli

#endif  // TERN_CLI_SCORING_H_
