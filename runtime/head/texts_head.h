// The output head of many texts at once.
#ifndef TERN_RUNTIME_HEAD_TEXTS_HEAD_H_
#define TERN_RUNTIME_HEAD_TEXTS_HEAD_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "runtime/forward/transformer.h"
#include "runtime/head/head.h"
#include "runtime/head/screened_texts.h"
#include "runtime/weights.h"

namespace tern {

// One thread at a time.
class TextsHead {
 public:
  // For at most so many texts.
  TextsHead(const Weights& weights, std::size_t max_texts,
            std::size_t num_threads);
  static std::uint64_t Bytes(const Weights& weights, std::size_t max_texts,
                             std::size_t num_threads);

  // logits [texts][vocab] for x [texts][hidden].  Of the last demands.size()
  // texts, those that are demanded are as Head::All gives them, the others may
  // be -infinity; all demands are for the same rows.  Of the other texts, all.
  void Logits(const ForwardPass& pass, const float* x, std::size_t texts,
              std::span<const HeadDemand> demands, float* logits) noexcept;

 private:
  Head head_;
  ScreenTextsScratch screen_;
  // Calls that will not use the screen for several texts, because it lately let
  // too much through.
  int pause_ = 0;
};

}  // namespace tern

#endif  // TERN_RUNTIME_HEAD_TEXTS_HEAD_H_
