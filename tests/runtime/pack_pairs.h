// What every pair of formats must do to every model: SRC -> A -> B gives the
// same codes, multipliers, configuration, tokenizer and logits as SRC, bit for
// bit, or is refused with a reason.
#ifndef TERN_TESTS_RUNTIME_PACK_PAIRS_H_
#define TERN_TESTS_RUNTIME_PACK_PAIRS_H_

#include <filesystem>
#include <string>
#include <vector>

namespace tern::testing {

// The models of this build: those that ship, or those of the reference folder.
std::vector<std::filesystem::path> ModelsToPack();

}  // namespace tern::testing

#endif  // TERN_TESTS_RUNTIME_PACK_PAIRS_H_
