// The output head of many texts at once.
#ifndef TERN_RUNTIME_HEAD_TEXTS_HEAD_H_
#define TERN_RUNTIME_HEAD_TEXTS_HEAD_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "runtime/forward/transformer.h"
#include "runtime/head/head.h"
#include "runtime/head/rounded_rows.h"
#include "runtime/head/screened_texts.h"
#include "runtime/parallel.h"
#include "runtime/weights.h"

namespace tern {

// One thread at a time.
class TextsHead {
 public:
  // For at most so many texts.  Reads a stored head of floats once, if it may
  // come to be rounded.
  TextsHead(const Weights& weights, std::size_t max_texts, Team& team);
  static std::uint64_t Bytes(const Weights& weights, std::size_t max_texts,
                             std::size_t num_threads);

  // logits [texts][vocab] for x [texts][hidden].  Of the last demands.size()
  // texts, those that are demanded are as Head::All gives them, the others may
  // be -infinity; all demands are for the same rows.  Of the other texts, all.
  void Logits(const ForwardPass& pass, const float* x, std::size_t texts,
              std::span<const HeadDemand> demands, float* logits) noexcept;

 private:
  [[nodiscard]] ByteHead Codes(const Weights& weights) const;

  Head head_;
  // Fewer texts do not meet 8-bit codes together.
  std::size_t fewest_together_;
  RoundedRows rounded_;  // if there is no screen
  ScreenTextsScratch screen_;
  // Calls that will not use the screen for several texts, because it lately let
  // too much through.
  int pause_ = 0;
};

}  // namespace tern

#endif  // TERN_RUNTIME_HEAD_TEXTS_HEAD_H_
