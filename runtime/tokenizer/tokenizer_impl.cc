#include "runtime/tokenizer/tokenizer_impl.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
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

// True if a token spans the end of a word: a space after something else.
bool HasTokenOverWords(const tokenizer::TokenizerSpec& spec) {
  return std::any_of(
      spec.tokens.begin(), spec.tokens.end(), [](const auto& token) {
        const std::size_t word = token.bytes.find_first_not_of(' ');
        return token.kind == TokenKind::kText && word != std::string::npos &&
               token.bytes.find(' ', word) != std::string::npos;
      });
}

// SentencePiece merges a text as a whole.  Where no token could span the end of
// a word, no merge does, and words on their own give the same.
tokenizer::Splitter MakeSplitter(const tokenizer::TokenizerSpec& spec) {
  using tokenizer::Splitter;
  if (spec.pre_tokenizer != nullptr) return Splitter(*spec.pre_tokenizer);
  return Splitter(HasTokenOverWords(spec) ? Splitter::Plain::kWhole
                                          : Splitter::Plain::kWords);
}

AddedTokens CollectAddedTokens(const tokenizer::TokenizerSpec& spec,
                               const tokenizer::Vocabulary& vocabulary,
                               bool after_normalizer) {
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
  return AddedTokens(std::move(entries));
}

std::optional<Token> EosOf(const tokenizer::TokenizerSpec& spec) {
  if (spec.eos.has_value() || spec.end_tokens.empty()) return spec.eos;
  return spec.end_tokens.front();
}

}  // namespace

// One Encode: what it needs besides the tokenizer, and its result.
class Tokenizer::Impl::Call {
 public:
  Call(const Impl& impl, std::string_view text, EncodeOptions options)
      : impl_(impl),
        text_(text),
        special_{.parse = options.parse_special, .mask = options.special_mask},
        pieces_(impl.splitter_),
        encoder_(impl.vocabulary_, impl.merges_, impl.ignore_merges_),
        recent_words_(text.size()) {
    if (!special_.mask.empty() && special_.mask.size() != text.size()) {
      throw Error(ErrorCode::kInvalidArgument,
                  "special_mask: " + std::to_string(special_.mask.size()) +
                      " bytes for a text of " + std::to_string(text.size()) +
                      "; give one for each byte, or none");
    }
    if (options.add_bos && impl.adds_bos_) tokens_.push_back(*impl.bos_);
  }

  std::vector<Token> Run() && {
    const std::size_t own = tokens_.size();  // 1 with a BOS
    EncodeAll();
    const bool text_has_bos =
        tokens_.size() > own && tokens_[own] == impl_.bos_;
    if (own == 1 && text_has_bos) tokens_.erase(tokens_.begin());
    return std::move(tokens_);
  }

 private:
  using Special = AddedTokens::Special;

  void EncodeAll() {
    for (std::size_t position = 0; position < text_.size();) {
      const auto match = impl_.added_tokens_.Find(text_, position, special_);
      EncodeBetween(position, match.begin);
      if (match.token >= 0) tokens_.push_back(match.token);
      position = match.end;
    }
  }

  // Text between the tokens that are found before it is normalized.
  void EncodeBetween(std::size_t begin, std::size_t end) {
    std::string_view text = text_.substr(begin, end - begin);
    Special special = special_;
    if (!special.mask.empty()) {
      special.mask = special.mask.substr(begin, end - begin);
    }
    if (auto normalized = impl_.normalizer_.Apply(text, begin == 0)) {
      // Its bytes are others, so the mask says something of all or of none.
      if (special.mask.find_first_not_of('1') != std::string_view::npos) {
        special.no_names = true;
      }
      special.mask = {};
      text = normalized_.emplace_back(*std::move(normalized));
    }
    for (std::size_t position = 0; position < text.size();) {
      const auto match =
          impl_.normalized_added_tokens_.Find(text, position, special);
      EncodeText(text.substr(position, match.begin - position));
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
  Special special_;
  tokenizer::PieceCursor pieces_;
  tokenizer::BytePairEncoder encoder_;
  // Parts of the text as they became; recent_words_ points into them.
  std::deque<std::string> normalized_;
  RecentWords recent_words_;
  std::vector<Token> tokens_;
};

Tokenizer::Impl::Impl(const tokenizer::TokenizerSpec& spec)
    : vocabulary_(spec),
      merges_(spec, vocabulary_),
      ignore_merges_(spec.ignore_merges),
      normalizer_(spec),
      splitter_(MakeSplitter(spec)),
      added_tokens_(CollectAddedTokens(spec, vocabulary_, false)),
      normalized_added_tokens_(CollectAddedTokens(spec, vocabulary_, true)),
      bos_(spec.bos),
      eos_(EosOf(spec)),
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

std::string_view Tokenizer::Impl::Text(Token token, bool& at_start) const {
  std::string_view bytes = Bytes(token);
  const TokenKind kind = vocabulary_.Kind(token);
  if (!at_start || kind == TokenKind::kControl) return bytes;
  at_start = false;
  if (normalizer_.adds_prefix() && kind == TokenKind::kText &&
      bytes.starts_with(' ')) {
    bytes.remove_prefix(1);
  }
  return bytes;
}

}  // namespace tern
