#include "runtime/head/texts_head.h"

namespace tern {
namespace {

// Of fewer texts each has a screen of its own, which reads two thirds of what
// one for all reads.
constexpr std::size_t kFewestTogether = 2;

bool IsScreened(const Weights& weights, std::size_t max_texts) {
  return weights.screen.rows != 0 && max_texts >= kFewestTogether;
}

}  // namespace

TextsHead::TextsHead(const Weights& weights, std::size_t max_texts,
                     std::size_t num_threads)
    : head_(weights, max_texts) {
  if (IsScreened(weights, max_texts)) {
    screen_ = ScreenTextsScratch(weights.screen.rows, weights.screen.cols,
                                 max_texts, num_threads);
  }
}

std::uint64_t TextsHead::Bytes(const Weights& weights, std::size_t max_texts,
                               std::size_t num_threads) {
  return Head::Bytes(weights, max_texts) +
         (IsScreened(weights, max_texts)
              ? ScreenTextsScratch::Bytes(weights.screen.rows,
                                          weights.screen.cols, max_texts,
                                          num_threads)
              : 0);
}

void TextsHead::Logits(const ForwardPass& pass, const float* x,
                       std::size_t texts, std::span<const HeadDemand> demands,
                       float* logits) noexcept {
  const std::size_t hidden = pass.config.hidden_size;
  const std::size_t vocab = pass.config.vocab_size;
  const bool together = demands.size() >= kFewestTogether;
  if (pass.weights.screen.rows == 0 || (together && pause_ > 0)) {
    if (pause_ > 0) --pause_;
    demands = {};
  }
  const std::size_t all = texts - demands.size();
  if (all != 0) head_.All(pass, x, all, logits);
  if (demands.empty()) return;
  x += all * hidden;
  logits += all * vocab;
  if (!together) {
    head_.Demanded(pass, x, demands.front(), logits);
    return;
  }
  const std::size_t refined =
      ScreenedTexts({pass.weights.screen, pass.weights.Head().dense.View()},
                    {x, demands, logits, vocab}, screen_, pass.team);
  const std::size_t rows = demands.front().rows * demands.size();
  if (refined > rows / kWorthwhileShare) pause_ = kPause;
}

}  // namespace tern
