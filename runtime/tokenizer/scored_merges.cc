#include "runtime/tokenizer/scored_merges.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>

#include "runtime/files/quote.h"
#include "runtime/tokenizer/utf8.h"

namespace tern::tokenizer {
namespace {

// SentencePiece's trainer stops at 16 characters unless told otherwise.  A
// bound, because a piece costs its square here.
constexpr std::size_t kLongestPiece = 256;

[[noreturn]] void RefusePiece(const TokenizerSpec& spec, std::size_t id,
                              const std::string& why) {
  Refuse(ErrorCode::kMalformed, spec.file,
         spec.tokens_key + "[" + std::to_string(id) + "]",
         files::Quote(SpellingOf(spec.kind, spec.tokens[id].bytes)) + why +
             "; use the file as it was published");
}

// Where the characters of `piece` end, the last one aside.
std::vector<std::size_t> InnerBounds(std::string_view piece) {
  std::vector<std::size_t> bounds;
  for (std::size_t i = 0; i < piece.size();) {
    i += std::max<std::size_t>(Utf8CharacterSize(piece.substr(i)), 1);
    if (i < piece.size()) bounds.push_back(i);
  }
  return bounds;
}

class PairFinder {
 public:
  PairFinder(const TokenizerSpec& spec, const Vocabulary& vocabulary)
      : spec_(spec), vocabulary_(vocabulary) {}

  ScoredMerges Run() {
    for (std::size_t id = 0; id < spec_.tokens.size(); ++id) {
      if (spec_.tokens[id].kind == TokenKind::kText) AddPiece(id);
    }
    std::sort(scores_.begin(), scores_.end(), std::greater<>());
    scores_.erase(std::unique(scores_.begin(), scores_.end()), scores_.end());
    if (scores_.size() == 1 && pieces_ > 1) {
      Refuse(ErrorCode::kMalformed, spec_.file, spec_.merges_key,
             "the same for all pieces, so that their order is lost; convert "
             "the model again from its tokenizer.model");
    }
    for (ScoredMerges::Pair& pair : merges_.pairs) {
      const auto place = std::lower_bound(scores_.begin(), scores_.end(),
                                          Score(pair.result), std::greater<>());
      pair.rank = static_cast<std::uint32_t>(place - scores_.begin());
    }
    merges_.ranks = scores_.size();
    return std::move(merges_);
  }

 private:
  [[nodiscard]] float Score(Token token) const {
    return spec_.tokens[static_cast<std::size_t>(token)].score;
  }

  void AddPiece(std::size_t id) {
    const SpecToken& token = spec_.tokens[id];
    const std::string_view piece = token.bytes;
    if (std::isnan(token.score)) RefusePiece(spec_, id, " has no score");
    if (piece.size() > kLongestPiece) {
      RefusePiece(spec_, id,
                  " has more than " + std::to_string(kLongestPiece) + " bytes");
    }
    const std::vector<std::size_t> bounds = InnerBounds(piece);
    if (bounds.empty()) return;
    CheckCharacters(id, piece, bounds);
    ++pieces_;
    scores_.push_back(token.score);
    for (const std::size_t bound : bounds) {
      const Token left = vocabulary_.Find(piece.substr(0, bound));
      const Token right = vocabulary_.Find(piece.substr(bound));
      if (left < 0 || right < 0) continue;
      merges_.pairs.push_back({.left = left,
                               .right = right,
                               .result = static_cast<Token>(id),
                               .rank = 0});
    }
  }

  void CheckCharacters(std::size_t id, std::string_view piece,
                       const std::vector<std::size_t>& bounds) const {
    std::size_t begin = 0;
    const auto check = [&](std::size_t end) {
      if (vocabulary_.Find(piece.substr(begin, end - begin)) < 0) {
        RefusePiece(spec_, id, " has a character that is no piece of its own");
      }
      begin = end;
    };
    for (const std::size_t bound : bounds) check(bound);
    check(piece.size());
  }

  const TokenizerSpec& spec_;
  const Vocabulary& vocabulary_;
  ScoredMerges merges_;
  std::vector<float> scores_;  // of pieces of several characters
  std::size_t pieces_ = 0;     // of several characters
};

}  // namespace

ScoredMerges FindScoredMerges(const TokenizerSpec& spec,
                              const Vocabulary& vocabulary) {
  return PairFinder(spec, vocabulary).Run();
}

}  // namespace tern::tokenizer
