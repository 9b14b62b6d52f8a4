#include "runtime/tokenizer/split.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <array>
#include <cstdint>
#include <pcre2.h>
#include <string>

#include <tern/error.h>

#include "runtime/tokenizer/utf8.h"

namespace tern::tokenizer {
namespace {

// White_Space of Unicode.  PCRE2's own \s has one character more, U+180E, which
// left that property in Unicode 6.3; the expressions that models were trained
// with do not count it.
#define TERN_SPACES                                                  \
  "\\x{09}-\\x{0d}\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}" \
  "\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}"

constexpr std::array<std::string_view, 3> kLlama3Names = {"llama-bpe", "llama3",
                                                          "llama-v3"};

constexpr std::array<PreTokenizer, 1> kPreTokenizers = {{
    {.name = "llama-bpe",
     .gguf_names = kLlama3Names,
     .huggingface_regex =
         "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,"
         "3}"
         "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
     .pcre2_regex = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+"
                    "|\\p{N}{1,3}"
                    "| ?[^" TERN_SPACES "\\p{L}\\p{N}]+[\\r\\n]*"
                    "|[" TERN_SPACES "]*[\\r\\n]+"
                    "|[" TERN_SPACES "]+(?![^" TERN_SPACES "])"
                    "|[" TERN_SPACES "]+",
     .gguf_ignore_merges = true,
     .gguf_adds_bos = true},
}};

#undef TERN_SPACES

std::string Pcre2Message(int code) {
  std::array<PCRE2_UCHAR, 256> text{};
  pcre2_get_error_message(code, text.data(), text.size());
  return {text.begin(),
          text.begin() + std::char_traits<char>::length(
                             reinterpret_cast<char*>(text.data()))};
}

}  // namespace

const PreTokenizer* FindPreTokenizerByGgufName(std::string_view name) {
  for (const PreTokenizer& kind : kPreTokenizers) {
    for (const std::string_view known : kind.gguf_names) {
      if (known == name) return &kind;
    }
  }
  return nullptr;
}

const PreTokenizer* FindPreTokenizerByRegex(
    std::string_view huggingface_regex) {
  for (const PreTokenizer& kind : kPreTokenizers) {
    if (kind.huggingface_regex == huggingface_regex) return &kind;
  }
  return nullptr;
}

void Splitter::FreeCode::operator()(pcre2_real_code_8* code) const {
  pcre2_code_free(code);
}

void Splitter::FreeContext::operator()(
    pcre2_real_match_context_8* context) const {
  pcre2_match_context_free(context);
}

void PieceCursor::FreeMatch::operator()(pcre2_real_match_data_8* match) const {
  pcre2_match_data_free(match);
}

Splitter::Splitter(const PreTokenizer& pre_tokenizer) {
  const std::string_view regex = pre_tokenizer.pcre2_regex;
  int error = 0;
  PCRE2_SIZE offset = 0;
  code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(regex.data()),
                            regex.size(), PCRE2_UTF | PCRE2_UCP, &error,
                            &offset, nullptr));
  if (code_ == nullptr) {
    throw Error(ErrorCode::kUnsupported,
                "pre-tokenizer " + std::string(pre_tokenizer.name) +
                    ": PCRE2 refuses its expression at " +
                    std::to_string(offset) + " (" + Pcre2Message(error) +
                    "); use a PCRE2 built with Unicode support");
  }
  // Without a JIT (an unusual processor, or memory that may not be executed)
  // PCRE2 interprets the expression: slower, with the same result.
  pcre2_jit_compile(code_.get(), PCRE2_JIT_COMPLETE);
  // PCRE2 counts backtracking steps and gives up after 10 million by default.
  // A long run of spaces takes one step a space, which is linear and no reason
  // to give up.
  limits_.reset(pcre2_match_context_create(nullptr));
  if (limits_ == nullptr) {
    throw Error(ErrorCode::kOutOfMemory,
                "pre-tokenizer: no memory for PCRE2; free some memory");
  }
  pcre2_set_match_limit(limits_.get(), UINT32_MAX);
  pcre2_set_depth_limit(limits_.get(), UINT32_MAX);
  pcre2_set_heap_limit(limits_.get(), UINT32_MAX);
}

PieceCursor::PieceCursor(const Splitter& splitter)
    : splitter_(&splitter), match_(pcre2_match_data_create(1, nullptr)) {
  if (match_ == nullptr) {
    throw Error(ErrorCode::kOutOfMemory,
                "pre-tokenizer: no memory for PCRE2; free some memory");
  }
}

void PieceCursor::Start(std::string_view text) {
  text_ = text;
  position_ = valid_begin_ = valid_end_ = 0;
}

std::string_view PieceCursor::Take(std::size_t end) {
  const std::string_view piece = text_.substr(position_, end - position_);
  position_ = end;
  return piece;
}

std::string_view PieceCursor::Next() {
  if (position_ == valid_end_) {
    const std::string_view rest = text_.substr(position_);
    if (rest.empty()) return {};
    const std::size_t invalid = InvalidUtf8Prefix(rest);
    valid_begin_ = valid_end_ = position_ + invalid;
    if (invalid > 0) return Take(valid_end_);
    valid_end_ = position_ + ValidUtf8Prefix(rest);
  }
  return NextOfValidRun();
}

std::string_view PieceCursor::NextOfValidRun() {
  const std::string_view run =
      text_.substr(valid_begin_, valid_end_ - valid_begin_);
  const auto match = [&](std::uint32_t options) {
    return pcre2_match(splitter_->code_.get(),
                       reinterpret_cast<PCRE2_SPTR>(run.data()), run.size(),
                       position_ - valid_begin_,
                       PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY | options,
                       match_.get(), splitter_->limits_.get());
  };
  int result = match(0);
  // The interpreter keeps its state on the heap.
  if (result == PCRE2_ERROR_JIT_STACKLIMIT) result = match(PCRE2_NO_JIT);
  // What no alternative matches is a piece of its own.
  if (result == PCRE2_ERROR_NOMATCH) return Take(valid_end_);
  if (result < 0) {
    throw Error(ErrorCode::kUnsupported,
                "tokenizer: the text cannot be split at byte " +
                    std::to_string(position_) + " (" + Pcre2Message(result) +
                    "); encode it in parts");
  }
  const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(match_.get());
  const std::size_t begin = valid_begin_ + bounds[0];
  return Take(begin > position_ ? begin : valid_begin_ + bounds[1]);
}

}  // namespace tern::tokenizer
