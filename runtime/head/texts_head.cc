#include "runtime/head/texts_head.h"

#include <limits>

#include "runtime/head/screened.h"
#include "ternary_kernels/screen_texts.h"

namespace tern {
namespace {

// Of fewer texts each has a screen of its own, which reads two thirds of what
// one for all reads.
constexpr std::size_t kFewestScreened = 2;
// Fewer texts meet floats sooner than the rows are rounded: README.md.
constexpr std::size_t kFewestRounded = 8;

// From how many texts on they meet 8-bit codes together.
std::size_t FewestTogether(const Weights& weights) {
  if (weights.screen.rows != 0) return kFewestScreened;
  const Linear& head = weights.Head();
  const bool can_round = !head.is_ternary && weights.int8_head.rows == 0 &&
                         kernels::IsFloat(head.dense.type);
  return can_round && kernels::MultipliesBytes()
             ? kFewestRounded
             : std::numeric_limits<std::size_t>::max();
}

}  // namespace

TextsHead::TextsHead(const Weights& weights, std::size_t max_texts, Team& team)
    : head_(weights, max_texts), fewest_together_(FewestTogether(weights)) {
  if (max_texts < fewest_together_) return;
  const Linear& head = weights.Head();
  if (weights.screen.rows == 0) {
    rounded_ = MakeRoundedRows(head.dense.View(), team);
  }
  screen_ = ScreenTextsScratch(head.rows, head.cols, max_texts, team.size());
}

std::uint64_t TextsHead::Bytes(const Weights& weights, std::size_t max_texts,
                               std::size_t num_threads) {
  std::uint64_t bytes = Head::Bytes(weights, max_texts);
  if (max_texts < FewestTogether(weights)) return bytes;
  const Linear& head = weights.Head();
  if (weights.screen.rows == 0) bytes += RoundedRows::Bytes(head.rows);
  return bytes + ScreenTextsScratch::Bytes(head.rows, head.cols, max_texts,
                                           num_threads);
}

ByteHead TextsHead::Codes(const Weights& weights) const {
  const kernels::DenseView stored = weights.Head().dense.View();
  return weights.screen.rows != 0 ? MakeByteHead(weights.screen, stored)
                                  : MakeByteHead(rounded_, stored);
}

void TextsHead::Logits(const ForwardPass& pass, const float* x,
                       std::size_t texts, std::span<const HeadDemand> demands,
                       float* logits) noexcept {
  const std::size_t hidden = pass.config.hidden_size;
  const std::size_t vocab = pass.config.vocab_size;
  const bool is_screened = pass.weights.screen.rows != 0;
  bool together = demands.size() >= fewest_together_;
  if (together && pause_ > 0) {
    --pause_;
    together = false;
    demands = {};
  }
  if (!together && !is_screened) demands = {};
  const std::size_t all = texts - demands.size();
  if (all != 0) head_.All(pass, x, all, logits);
  if (demands.empty()) return;
  x += all * hidden;
  logits += all * vocab;
  if (!together) {
    head_.Demanded(pass, x, demands.front(), logits);
    return;
  }
  const std::size_t refined = ScreenedTexts(
      Codes(pass.weights), {x, demands, logits, vocab}, screen_, pass.team);
  const std::size_t rows = demands.front().rows * demands.size();
  if (refined > rows / kWorthwhileShare) pause_ = kPause;
}

}  // namespace tern
