// A bound on the searches in the tables of the vocabulary and the merges.
//
// They are open addressing with linear probing and hashes without a secret, at
// most two thirds full.  Of real vocabularies the longest run of taken slots is
// below 200; a made-up one can put all its tokens into one run, and 40,000 of
// them took seconds to insert and would slow down each word.
#ifndef TERN_RUNTIME_TOKENIZER_PROBING_H_
#define TERN_RUNTIME_TOKENIZER_PROBING_H_

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include <tern/error.h>

#include "runtime/tokenizer/tokenizer_spec.h"

namespace tern::tokenizer {

// Slots that one search may look at.
inline constexpr std::size_t kMaxProbes = 1000;

// The longest run of slots that are not free; one over the end counts as two.
template <class Slot, class IsFree>
std::size_t LongestRun(const std::vector<Slot>& slots, const IsFree& is_free) {
  std::size_t longest = 0;
  std::size_t run = 0;
  for (const Slot& slot : slots) {
    run = is_free(slot) ? 0 : run + 1;
    longest = std::max(longest, run);
  }
  return longest;
}

[[noreturn]] inline void RefuseCollisions(const TokenizerSpec& spec,
                                          const std::string& key) {
  Refuse(ErrorCode::kMalformed, spec.file, key,
         "more than " + std::to_string(kMaxProbes) +
             " entries collide, as only a made-up list does; use the file as "
             "it was published");
}

}  // namespace tern::tokenizer

#endif  // TERN_RUNTIME_TOKENIZER_PROBING_H_
