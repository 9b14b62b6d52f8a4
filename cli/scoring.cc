#include "cli/scoring.h"

#include <algorithm>
#include <cmath>

namespace tern::cli {

std::vector<ScoringWindow> ChunkWindows(std::size_t num_tokens,
                                        std::size_t context) {
  std::vector<ScoringWindow> windows;
  for (std::size_t i = 0; i < num_tokens / context; ++i) {
    windows.push_back({i * context, context, context / 2 + 1});
  }
  return windows;
}

std::vector<ScoringWindow> SlidingWindows(std::size_t num_tokens,
                                          std::size_t context,
                                          std::size_t stride) {
  std::size_t end = std::min(context, num_tokens);
  std::vector<ScoringWindow> windows = {{0, end, 1}};
  while (end < num_tokens) {
    const std::size_t scored = std::min(stride, num_tokens - end);
    end += scored;
    windows.push_back({end - context, context, context - scored});
  }
  return windows;
}

double NegativeLogLikelihood(std::span<const float> logits, Token token) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(logit - largest);
  // In this order: next to a huge logit the logarithm would be lost.
  return std::log(sum) + (largest - logits[static_cast<std::size_t>(token)]);
}

}  // namespace tern::cli
