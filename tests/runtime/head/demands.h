// What is asked of a screened head, and what it must give.
#ifndef TERN_TESTS_RUNTIME_HEAD_DEMANDS_H_
#define TERN_TESTS_RUNTIME_HEAD_DEMANDS_H_

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <limits>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include <tern/sampler.h>
#include <tern/tokenizer.h>

#include "runtime/head/search.h"

namespace tern::test {

inline SamplerOptions RandomOptions(std::mt19937& random) {
  const auto pick = [&](std::initializer_list<double> values) {
    return static_cast<float>(values.begin()[random() % values.size()]);
  };
  SamplerOptions o;
  o.temperature = pick({0, 0.1, 0.8, 1, 3, 1e-6});
  o.top_k = static_cast<int>(pick({0, 0, 1, 2, 7, 40}));
  o.top_p = pick({1, 1, 0.95, 0.5});
  o.min_p = pick({0, 0.01, 0.2, 0.9, 1});
  o.repeat_last_n = static_cast<int>(pick({0, 1, 8, 20, -1}));
  o.repeat_penalty = pick({1, 1.3, 0.7, 10});
  o.presence_penalty = pick({0, 0, 0.5, -0.5, 1000, -1000});
  o.frequency_penalty = pick({0, 0, 0.2, -0.2});
  o.seed = random();
  return o;
}

inline std::vector<Token> RandomContext(std::mt19937& random,
                                        const std::vector<float>& logits) {
  std::vector<Token> context(random() % 30);
  for (Token& t : context) {
    // Often one of the best, where penalties matter.
    t = random() % 2 ? static_cast<Token>(random() % logits.size())
                     : static_cast<Token>(
                           std::max_element(logits.begin(), logits.end()) -
                           logits.begin());
  }
  return context;
}

// Every logit as `all` has it, or -infinity; and none of those that are needed.
inline void ExpectNeeded(const std::vector<float>& logits,
                         const std::vector<float>& all,
                         const HeadDemand& demand) {
  std::vector<bool> always(demand.rows);
  for (const Token t : demand.always) {
    always[static_cast<std::size_t>(t)] = true;
  }
  std::vector<float> others;
  for (std::size_t r = 0; r < demand.rows; ++r) {
    if (!always[r]) others.push_back(all[r]);
  }
  std::sort(others.rbegin(), others.rend());
  const double least = others[demand.best - 1] - demand.depth;
  for (std::size_t r = 0; r < demand.rows; ++r) {
    if (always[r] || all[r] >= least) {
      ASSERT_EQ(logits[r], all[r]) << r;
    } else {
      ASSERT_TRUE(logits[r] == all[r] ||
                  logits[r] == -std::numeric_limits<float>::infinity())
          << r;
    }
  }
}

}  // namespace tern::test

#endif  // TERN_TESTS_RUNTIME_HEAD_DEMANDS_H_
