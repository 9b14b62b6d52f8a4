// What a forward pass is about: tokens of one sequence, or of many.
#ifndef TERN_RUNTIME_FORWARD_TOKEN_RUN_H_
#define TERN_RUNTIME_FORWARD_TOKEN_RUN_H_

#include <cstddef>
#include <span>

#include "runtime/kv_cache.h"

namespace tern {

// Consecutive tokens of one sequence.  The tokens of a pass are those of its
// runs, one run after another; no two runs are of the same sequence.
struct TokenRun {
  KvCache* cache = nullptr;
  std::size_t position = 0;  // of the first of them
  std::size_t tokens = 0;
};

inline std::size_t TokensOf(std::span<const TokenRun> runs) {
  std::size_t tokens = 0;
  for (const TokenRun& run : runs) tokens += run.tokens;
  return tokens;
}

}  // namespace tern

#endif  // TERN_RUNTIME_FORWARD_TOKEN_RUN_H_
