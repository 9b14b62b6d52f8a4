#include "runtime/tokenizer/tokenizer_impl.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>

#include <tern/error.h>

#include "runtime/tokenizer/bpe.h"

namespace tern {
namespace {

using tokenizer::AddedTokens;
using tokenizer::TokenKind;

// The words met in one call and where their tokens stand in its result: text
// repeats itself, so most words need neither the vocabulary nor the merges.  A
// table with one place for each hash, whose size follows the text's.
class RecentWords {
 public:
  explicit RecentWords(std::size_t text_size)
      : words_(std::bit_ceil(std::clamp<std::size_t>(text_size / 16, 1,
                                                     std::size_t{1} << 13))) {}

  // Longer words seldom repeat, and are not compared or kept.
  static constexpr std::size_t kLongest = 48;

  // Appends the tokens of `word`, from the table or by `encode`, which appends
  // them.
  template <typename Encode>
  void Append(std::string_view word, std::vector<Token>& tokens,
              const Encode& encode) {
    if (word.size() > kLongest) return encode();
    Word& slot = words_[tokenizer::HashBytes(word) & (words_.size() - 1)];
    const std::size_t begin = tokens.size();
    if (slot.text == word) {
      // By index: the vector may move while it grows.
      for (std::uint32_t i = 0; i < slot.count; ++i) {
        tokens.push_back(tokens[slot.begin + i]);
      }
      return;
    }
    encode();
    slot = {.text = word,
            .begin = begin,
            .count = static_cast<std::uint32_t>(tokens.size() - begin)};
  }

 private:
  struct Word {
    std::string_view text;  // points into the text; empty: free
    std::size_t begin = 0;  // of its tokens in the result
    std::uint32_t count = 0;
  };
  std::vector<Word> words_;
};

std::vector<AddedTokens> CollectAddedTokens(
    const tokenizer::TokenizerSpec& spec,
    const tokenizer::Vocabulary& vocabulary) {
  std::vector<AddedTokens> passes;
  for (const bool after_normalizer : {false, true}) {
    std::vector<AddedTokens::Entry> entries;
    for (std::size_t id = 0; id < spec.tokens.size(); ++id) {
      const tokenizer::SpecToken& token = spec.tokens[id];
      const bool is_control = token.kind == TokenKind::kControl;
      if (!is_control && token.kind != TokenKind::kAdded) continue;
      if (token.after_normalizer != after_normalizer) continue;
      if (token.bytes.empty()) continue;
      entries.push_back({.text = vocabulary.Bytes(static_cast<Token>(id)),
                         .token = static_cast<Token>(id),
                         .special = is_control});
    }
    if (!entries.empty()) passes.emplace_back(std::move(entries));
  }
  return passes;
}

}  // namespace

// One Encode: what it needs besides the tokenizer, and its result.
class Tokenizer::Impl::Call {
 public:
  Call(const Impl& impl, std::string_view text, EncodeOptions options)
      : impl_(impl),
        text_(text),
        options_(options),
        pieces_(impl.splitter_),
        encoder_(impl.vocabulary_, impl.merges_, impl.ignore_merges_),
        recent_words_(text.size()) {
    if (options.add_bos && impl.adds_bos_) tokens_.push_back(*impl.bos_);
  }

  std::vector<Token> Run() && {
    const std::size_t own = tokens_.size();  // 1 with a BOS
    EncodeAfterPass(0, text_);
    const bool text_has_bos =
        tokens_.size() > own && tokens_[own] == impl_.bos_;
    if (own == 1 && text_has_bos) tokens_.erase(tokens_.begin());
    return std::move(tokens_);
  }

 private:
  // `text` has been searched for the added tokens of the first `passes`.
  // NOLINTNEXTLINE(misc-no-recursion): at most as deep as there are passes, 2.
  void EncodeAfterPass(std::size_t passes, std::string_view text) {
    if (passes == impl_.added_tokens_.size()) return EncodeText(text);
    const AddedTokens& added = impl_.added_tokens_[passes];
    for (std::size_t position = 0; position < text.size();) {
      const auto match = added.Find(text, position, options_.parse_special);
      EncodeAfterPass(passes + 1,
                      text.substr(position, match.begin - position));
      if (match.token >= 0) tokens_.push_back(match.token);
      position = match.end;
    }
  }

  void EncodeText(std::string_view text) {
    pieces_.Start(text);
    for (auto piece = pieces_.Next(); !piece.empty(); piece = pieces_.Next()) {
      recent_words_.Append(piece, tokens_,
                           [&] { encoder_.Encode(piece, tokens_); });
    }
  }

  const Impl& impl_;
  std::string_view text_;
  EncodeOptions options_;
  tokenizer::PieceCursor pieces_;
  tokenizer::BytePairEncoder encoder_;
  RecentWords recent_words_;
  std::vector<Token> tokens_;
};

Tokenizer::Impl::Impl(const tokenizer::TokenizerSpec& spec)
    : vocabulary_(spec),
      merges_(spec, vocabulary_),
      ignore_merges_(spec.ignore_merges),
      splitter_(*spec.pre_tokenizer),
      added_tokens_(CollectAddedTokens(spec, vocabulary_)),
      bos_(spec.bos),
      adds_bos_(spec.adds_bos && spec.bos.has_value()),
      end_tokens_(spec.end_tokens),
      description_(spec.description) {
  std::sort(end_tokens_.begin(), end_tokens_.end());
}

std::vector<Token> Tokenizer::Impl::Encode(std::string_view text,
                                           EncodeOptions options) const {
  return Call(*this, text, options).Run();
}

std::string_view Tokenizer::Impl::Bytes(Token token) const {
  if (token < 0 || static_cast<std::size_t>(token) >= vocabulary_.size()) {
    throw Error(ErrorCode::kInvalidArgument,
                "token " + std::to_string(token) +
                    ": not in the vocabulary; ids run from 0 to " +
                    std::to_string(vocabulary_.size() - 1));
  }
  return vocabulary_.Bytes(token);
}

}  // namespace tern
