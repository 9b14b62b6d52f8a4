#include "runtime/head/demand.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tern {
namespace {

// The tokens that penalties may change.
std::span<const Token> Window(const SamplerOptions& options,
                              std::span<const Token> context) {
  if (options.repeat_penalty == 1.0F && options.presence_penalty == 0.0F &&
      options.frequency_penalty == 0.0F) {
    return {};
  }
  if (options.repeat_last_n < 0) return context;
  return context.last(std::min<std::size_t>(
      context.size(), static_cast<std::size_t>(options.repeat_last_n)));
}

}  // namespace

std::optional<HeadDemand> DemandOf(const SamplerOptions& options,
                                   std::span<const Token> context,
                                   std::size_t rows) {
  HeadDemand demand;
  demand.rows = rows;
  demand.always = Window(options, context);
  if (options.temperature == 0 || options.top_k == 1) {
    demand.best = 1;
  } else if (options.top_k > 0) {
    demand.best = static_cast<std::size_t>(options.top_k);
  } else if (options.top_p == 1.0F &&
             options.min_p >= std::numeric_limits<float>::min()) {
    // The sampler rounds the difference of the logits, the quotient, the
    // exponential and the cast: in all by less than 2^-22 of a weight that is
    // a normal number, as min_p is here.
    const double min_p = options.min_p;
    demand.depth = static_cast<double>(options.temperature) *
                   (0x1.0p-20 - std::log(min_p));
  } else {
    return std::nullopt;
  }
  if (demand.best + demand.always.size() > rows / 8) return std::nullopt;
  return demand;
}

}  // namespace tern
