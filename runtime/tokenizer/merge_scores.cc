#include "runtime/tokenizer/merge_scores.h"

#include <cstddef>
#include <string>

#include "runtime/files/quote.h"
#include "runtime/tokenizer/scored_merges.h"
#include "runtime/tokenizer/vocabulary.h"

namespace tern::tokenizer {
namespace {

[[noreturn]] void RefuseMerges(const TokenizerSpec& spec,
                               const std::string& key, const std::string& why) {
  Refuse(ErrorCode::kUnsupported, spec.file, key,
         why +
             "; add the model's tokenizer.model, which has the scores that "
             "GGUF metadata needs");
}

}  // namespace

std::vector<double> ScoresOfMerges(const TokenizerSpec& spec) {
  const Vocabulary vocabulary(spec);
  TokenizerSpec scored = spec;
  scored.merges_by_score = true;
  for (SpecToken& token : scored.tokens) token.score = 0;
  std::vector<double> scores(spec.tokens.size());
  double places = 0;
  Token last = -1;
  for (std::size_t rank = 0; rank < spec.merges.size(); ++rank) {
    const MergeSpelling& merge = spec.merges[rank];
    const std::string key = spec.merges_key + "[" + std::to_string(rank) + "]";
    const auto both =
        BytesOf(spec.kind, std::string(merge.left) + std::string(merge.right));
    const Token piece = both.has_value() ? vocabulary.Find(*both) : -1;
    if (piece == last) continue;
    if (piece < 0 || scores[static_cast<std::size_t>(piece)] != 0) {
      RefuseMerges(spec, key,
                   files::Quote(both.value_or("")) +
                       " is made by merges that do not stand together");
    }
    last = piece;
    scores[static_cast<std::size_t>(piece)] = -++places;
    scored.tokens[static_cast<std::size_t>(piece)].score =
        static_cast<float>(-places);
  }
  if (places < 2) return scores;
  if (FindScoredMerges(scored, vocabulary).pairs.size() != spec.merges.size()) {
    RefuseMerges(spec, spec.merges_key,
                 "not all the pairs that make a piece, or too many");
  }
  return scores;
}

}  // namespace tern::tokenizer
