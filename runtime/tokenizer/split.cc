#include "runtime/tokenizer/split.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <algorithm>
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

// What GPT-2's expression is to its descendants: Llama 3's takes the
// contraction in either case, a letter run with whatever character stands
// before it, and at most three digits; Qwen 2's differs from that in taking one
// digit.
#define TERN_LLAMA3_REGEX(digits, spaces_class, not_spaces_class, rest_class) \
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" digits        \
  "| ?" rest_class "+[\\r\\n]*|" spaces_class "*[\\r\\n]+|" spaces_class      \
  "+(?!" not_spaces_class ")|" spaces_class "+"
#define TERN_GPT2_REGEX(spaces_class, not_spaces_class, rest_class) \
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?" rest_class       \
  "+|" spaces_class "+(?!" not_spaces_class ")|" spaces_class "+"
// The classes as tokenizer.json spells them, and as PCRE2 must have them.
#define TERN_JSON_CLASSES "\\s", "\\S", "[^\\s\\p{L}\\p{N}]"
#define TERN_PCRE2_CLASSES \
  "[" TERN_SPACES "]", "[^" TERN_SPACES "]", "[^" TERN_SPACES "\\p{L}\\p{N}]"
// So that a list of classes counts as three arguments.
#define TERN_EXPAND(macro, ...) macro(__VA_ARGS__)

constexpr std::string_view kLlama3Json =
    TERN_EXPAND(TERN_LLAMA3_REGEX, "\\p{N}{1,3}", TERN_JSON_CLASSES);
constexpr const char* kLlama3Pcre2 =
    TERN_EXPAND(TERN_LLAMA3_REGEX, "\\p{N}{1,3}", TERN_PCRE2_CLASSES);
constexpr std::string_view kQwen2Json =
    TERN_EXPAND(TERN_LLAMA3_REGEX, "\\p{N}", TERN_JSON_CLASSES);
constexpr const char* kQwen2Pcre2 =
    TERN_EXPAND(TERN_LLAMA3_REGEX, "\\p{N}", TERN_PCRE2_CLASSES);
constexpr std::string_view kGpt2Json =
    TERN_EXPAND(TERN_GPT2_REGEX, TERN_JSON_CLASSES);
constexpr const char* kGpt2Pcre2 =
    TERN_EXPAND(TERN_GPT2_REGEX, TERN_PCRE2_CLASSES);

#undef TERN_EXPAND
#undef TERN_PCRE2_CLASSES
#undef TERN_JSON_CLASSES
#undef TERN_GPT2_REGEX
#undef TERN_LLAMA3_REGEX

using Names = std::array<std::string_view, 3>;
constexpr Names kLlama3Names = {"llama-bpe", "llama3", "llama-v3"};
constexpr std::array<std::string_view, 1> kFalcon3Names = {"falcon3"};
// The GGUF files of Falcon-E say falcon_e.
constexpr std::array<std::string_view, 2> kFalconENames = {"falcon_e",
                                                           "falcon-e"};
constexpr std::array<std::string_view, 1> kSmaugNames = {"smaug-bpe"};
constexpr std::array<std::string_view, 1> kQwen2Names = {"qwen2"};
constexpr std::array<std::string_view, 1> kGpt2Names = {"gpt-2"};
// OLMo's tokenizer is GPT-NeoX's; that name is the one which others read.
constexpr std::array<std::string_view, 2> kGptNeoxNames = {"olmo", "gpt-neox"};

// Of rows with one expression the first is taken for a tokenizer.json whose
// other properties no row has.
constexpr std::array<PreTokenizer, 7> kPreTokenizers = {{
    {.name = "llama-bpe",
     .gguf_names = kLlama3Names,
     .huggingface_regex = kLlama3Json,
     .pcre2_regex = kLlama3Pcre2,
     .gguf_ignore_merges = true,
     .gguf_adds_bos = true,
     .nfc = false},
    {.name = "falcon3",
     .gguf_names = kFalcon3Names,
     .huggingface_regex = kLlama3Json,
     .pcre2_regex = kLlama3Pcre2,
     .gguf_ignore_merges = true,
     .gguf_adds_bos = true,
     .nfc = false},
    {.name = "falcon_e",
     .gguf_names = kFalconENames,
     .huggingface_regex = kLlama3Json,
     .pcre2_regex = kLlama3Pcre2,
     .gguf_ignore_merges = true,
     .gguf_adds_bos = true,
     .nfc = false},
    // Llama 3's expression for a vocabulary that heeds its merges.
    {.name = "smaug-bpe",
     .gguf_names = kSmaugNames,
     .huggingface_regex = kLlama3Json,
     .pcre2_regex = kLlama3Pcre2,
     .gguf_ignore_merges = false,
     .gguf_adds_bos = false,
     .nfc = false},
    {.name = "qwen2",
     .gguf_names = kQwen2Names,
     .huggingface_regex = kQwen2Json,
     .pcre2_regex = kQwen2Pcre2,
     .gguf_ignore_merges = false,
     .gguf_adds_bos = false,
     .nfc = true},
    {.name = "gpt-2",
     .gguf_names = kGpt2Names,
     .huggingface_regex = kGpt2Json,
     .pcre2_regex = kGpt2Pcre2,
     .gguf_ignore_merges = false,
     .gguf_adds_bos = false,
     .nfc = false},
    {.name = "gpt-neox",
     .gguf_names = kGptNeoxNames,
     .huggingface_regex = kGpt2Json,
     .pcre2_regex = kGpt2Pcre2,
     .gguf_ignore_merges = false,
     .gguf_adds_bos = false,
     .nfc = true},
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

const PreTokenizer* FindPreTokenizerByRegex(std::string_view huggingface_regex,
                                            bool nfc, bool ignore_merges) {
  const PreTokenizer* first = nullptr;
  for (const PreTokenizer& kind : kPreTokenizers) {
    if (kind.huggingface_regex != huggingface_regex) continue;
    if (kind.nfc == nfc && kind.gguf_ignore_merges == ignore_merges) {
      return &kind;
    }
    if (first == nullptr) first = &kind;
  }
  return first;
}

std::string_view ByteLevelRegex() { return kGpt2Json; }

std::string KnownPreTokenizers() {
  std::string names;
  for (const PreTokenizer& kind : kPreTokenizers) {
    for (const std::string_view name : kind.gguf_names) {
      names += (names.empty() ? "" : ", ") + std::string(name);
    }
  }
  return names;
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

std::string_view PieceCursor::NextPlain() {
  if (splitter_->plain_ == Splitter::Plain::kWhole) return Take(text_.size());
  const std::size_t word = text_.find_first_not_of(' ', position_);
  const std::size_t end = text_.find(' ', std::min(word, text_.size()));
  return Take(std::min(end, text_.size()));
}

std::string_view PieceCursor::Next() {
  if (splitter_->code_ == nullptr) return NextPlain();
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
