#include "runtime/scheduler/choose.h"

#include <algorithm>
#include <cmath>
#include <exception>
#include <new>
#include <string>

#include "runtime/constraint.h"

namespace tern {
namespace {

// The logarithm of the sum of the exponentials.
double LogSum(std::span<const float> logits) {
  const double best = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(logit - best);
  return best + std::log(sum);
}

std::vector<TokenLogprob> Likeliest(std::span<const float> logits,
                                    std::size_t count, double log_sum) {
  std::vector<TokenLogprob> best;
  best.reserve(count + 1);
  for (std::size_t t = 0; t < logits.size() && count != 0; ++t) {
    // Of equals the one that is there stays before: ids rise.
    if (best.size() == count && logits[t] <= best.back().logprob) continue;
    const auto at = std::upper_bound(
        best.begin(), best.end(), logits[t],
        [](float logit, const TokenLogprob& b) { return logit > b.logprob; });
    best.insert(at, {static_cast<Token>(t), logits[t]});
    if (best.size() > count) best.pop_back();
  }
  for (TokenLogprob& b : best) {
    b.logprob = static_cast<float>(b.logprob - log_sum);
  }
  return best;
}

void Choose(Sequence& sequence, std::span<const Token> context,
            std::span<float> logits, std::vector<std::uint8_t>& allowed,
            Choice& choice) {
  const GenerateRequest& request = sequence.request;
  double log_sum = 0;
  if (request.top_logprobs >= 0) {
    log_sum = LogSum(logits);
    choice.top = Likeliest(
        logits, static_cast<std::size_t>(request.top_logprobs), log_sum);
  }
  if (request.constraint != nullptr) {
    Constrain(*request.constraint, logits, allowed);
  }
  choice.token = sequence.sampler.Sample(logits, context);
  if (request.constraint != nullptr) request.constraint->Accept(choice.token);
  if (request.top_logprobs >= 0) {
    // A constraint leaves the logits that it allows as they are.
    const float logit = logits[static_cast<std::size_t>(choice.token)];
    choice.logprob = static_cast<float>(logit - log_sum);
  }
}

}  // namespace

bool NeedsAllLogits(const GenerateRequest& request) {
  return request.constraint != nullptr || request.top_logprobs >= 0;
}

Choice ChooseToken(Sequence& sequence, std::span<const Token> context,
                   std::span<float> logits,
                   std::vector<std::uint8_t>& allowed) noexcept {
  Choice choice;
  try {
    Choose(sequence, context, logits, allowed, choice);
  } catch (const Error& error) {
    choice.error = error;
  } catch (const std::bad_alloc&) {
    choice.error = Error(ErrorCode::kOutOfMemory,
                         "scheduler: there is not enough memory to choose a "
                         "token; use fewer slots");
  } catch (const std::exception& exception) {  // a constraint of others
    choice.error = Error(ErrorCode::kInvalidArgument,
                         std::string("constraint: threw ") + exception.what() +
                             "; give one that takes every token it allowed");
  }
  return choice;
}

}  // namespace tern
