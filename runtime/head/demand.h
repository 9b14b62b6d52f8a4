// Which logits a sampler's choice can depend on.
//
// Sampler::Sample (sampler.h) penalises the tokens of its window, keeps the
// top_k best, weighs them, and drops some by top_p and min_p.  Let the others
// be the rows outside the window: their logits go in unchanged.
//
// top_k = k > 0, or greedy, k = 1: a row of the others that lies strictly below
// k others is not among the k best, whatever the penalties did to the window,
// for they can only add rows above it.  So the logits of the window, and of
// each other row that is at least the k-th largest of the others, give the same
// k best, in the same order.
//
// top_k = 0, top_p = 1, min_p > 0: what is kept has exp((logit - best) / T) >=
// min_p, where best, the largest logit, is at least the largest of the others.
// So a row of the others below that by more than T ln(1 / min_p) is dropped; a
// little is added for the rounding of the sampler's exponential and of its cast
// to float.
//
// Otherwise every logit counts: top_p is a share of the sum over all.
#ifndef TERN_RUNTIME_HEAD_DEMAND_H_
#define TERN_RUNTIME_HEAD_DEMAND_H_

#include <cstddef>
#include <optional>
#include <span>

#include <tern/sampler.h>
#include <tern/tokenizer.h>

#include "runtime/head/screened.h"

namespace tern {

// The demand on rows [0, rows) after `context`; nothing if it is for all, or
// for so many that they are better read in order.  Refers to `context`.
std::optional<HeadDemand> DemandOf(const SamplerOptions& options,
                                   std::span<const Token> context,
                                   std::size_t rows);

}  // namespace tern

#endif  // TERN_RUNTIME_HEAD_DEMAND_H_
