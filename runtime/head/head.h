// The output head: logits = W x, W [vocab][hidden] as stored, as int8 rows, or
// as stored behind a screen.
#ifndef TERN_RUNTIME_HEAD_HEAD_H_
#define TERN_RUNTIME_HEAD_HEAD_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include <tern/model.h>
#include <tern/sampler.h>
#include <tern/tokenizer.h>

#include "runtime/aligned_buffer.h"
#include "runtime/forward/transformer.h"
#include "runtime/head/screened.h"
#include "runtime/parallel.h"
#include "runtime/weights.h"

namespace tern {

// What a head, of ternary weights or stored as `stored`, becomes: kAsStored,
// kQ8 or kScreened.  Throws Error (kInvalidArgument), `place` naming the head,
// for a form that it cannot have.
HeadForm ResolveHead(HeadForm asked, bool is_ternary, kernels::DenseType stored,
                     const std::string& place);

// Bytes beside the stored head.
std::uint64_t HeadFormBytes(HeadForm form, std::size_t rows, std::size_t cols);

// Fills weights.int8_head or weights.screen.  An untied head that becomes int8
// gives up what was stored; a tied one is still the embedding.
void MakeHead(HeadForm form, Weights& weights, Team& team);

// The head of one session: working memory, and a count of what was read.
class Head {
 public:
  // For at most `max_tokens` at once.
  Head(const Weights& weights, std::size_t max_tokens);
  static std::uint64_t Bytes(const Weights& weights, std::size_t max_tokens);

  // logits [tokens][vocab], all of them, for x [tokens][hidden].
  void All(const ForwardPass& pass, const float* x, std::size_t tokens,
           float* logits) noexcept;

  // logits [rows] for x [hidden]: those that Sampler::Sample with these options
  // can depend on are as All gives them, the others may be -infinity.  True if
  // they are all of [vocab], as from All.
  bool ForSampling(const ForwardPass& pass, const float* x,
                   const SamplerOptions& options,
                   std::span<const Token> context, std::size_t rows,
                   float* logits) noexcept;

  // The same for what a choice demands; of [demand.rows].
  bool Demanded(const ForwardPass& pass, const float* x,
                const HeadDemand& demand, float* logits) noexcept;

  // Bytes of weights that all calls read.
  [[nodiscard]] std::uint64_t bytes_read() const { return bytes_read_; }

 private:
  Int8RowsScratch int8_;
  ScreenScratch screen_;
  // Calls of Demanded that will not use the screen, because it lately let
  // too much through.
  int pause_ = 0;
  std::uint64_t bytes_read_ = 0;
};

}  // namespace tern

#endif  // TERN_RUNTIME_HEAD_HEAD_H_
