// Pre-tokenization: cutting a text into the pieces within which BPE may merge.
//
// Each pre-tokenizer is a regular expression, one row of a table; a further
// one is one more row.  PCRE2 runs it over every maximal
// run of valid UTF-8; a maximal run of bytes that are not UTF-8 is a piece of
// its own.  So every byte is in exactly one piece, whatever the text.
#ifndef TERN_RUNTIME_TOKENIZER_SPLIT_H_
#define TERN_RUNTIME_TOKENIZER_SPLIT_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

// PCRE2's own types, declared here so that its header stays in split.cc.
// NOLINTBEGIN(readability-identifier-naming): the names are PCRE2's.
struct pcre2_real_code_8;
struct pcre2_real_match_context_8;
struct pcre2_real_match_data_8;
// NOLINTEND(readability-identifier-naming)

namespace tern::tokenizer {

struct PreTokenizer {
  std::string_view name;
  // Values of tokenizer.ggml.pre that mean this one, first the one to write.
  std::span<const std::string_view> gguf_names;
  // The pattern as tokenizer.json files spell it: it is recognised by equality.
  std::string_view huggingface_regex;
  // The same language for PCRE2 with UTF and UCP.
  const char* pcre2_regex;
  // What GGUF files leave unsaid for it.
  bool gguf_ignore_merges;
  bool gguf_adds_bos;
  // The text is brought to normalization form C first.  GGUF has no key for it;
  // the tokenizer.json of all models with these vocabularies says so.
  bool nfc;
};

// nullptr if there is none.
[[nodiscard]] const PreTokenizer* FindPreTokenizerByGgufName(
    std::string_view name);
// Of several with this expression the one whose other properties are these too,
// or else any.
[[nodiscard]] const PreTokenizer* FindPreTokenizerByRegex(
    std::string_view huggingface_regex, bool nfc, bool ignore_merges);
// The expression of tokenizer.json's ByteLevel with use_regex.
[[nodiscard]] std::string_view ByteLevelRegex();
// Their names, for messages.
[[nodiscard]] std::string KnownPreTokenizers();

// A compiled pre-tokenizer.  Never changes: any number of threads may share it,
// each with PieceCursors of its own.
class Splitter {
 public:
  explicit Splitter(const PreTokenizer& pre_tokenizer);

  // Without an expression, for SentencePiece.
  enum class Plain : std::uint8_t {
    kWhole,  // the text is one piece
    kWords,  // a piece ends where a space follows something else
  };
  explicit Splitter(Plain plain) : plain_(plain) {}

 private:
  friend class PieceCursor;
  struct FreeCode {
    void operator()(pcre2_real_code_8* code) const;
  };
  struct FreeContext {
    void operator()(pcre2_real_match_context_8* context) const;
  };
  std::unique_ptr<pcre2_real_code_8, FreeCode> code_;  // null: plain_
  std::unique_ptr<pcre2_real_match_context_8, FreeContext> limits_;
  Plain plain_ = Plain::kWhole;
};

// Walks over the pieces of one text after another.  The splitter must outlive
// it; the pieces point into the text.
class PieceCursor {
 public:
  explicit PieceCursor(const Splitter& splitter);

  void Start(std::string_view text);
  // The next piece, never empty; an empty one at the end of the text.  Throws
  // Error if the regular expression cannot be run to its end.
  [[nodiscard]] std::string_view Next();

 private:
  struct FreeMatch {
    void operator()(pcre2_real_match_data_8* match) const;
  };
  [[nodiscard]] std::string_view NextPlain();
  // Runs the expression from position_ to the end of the valid run.
  [[nodiscard]] std::string_view NextOfValidRun();
  // The piece from position_ to `end`, where the next one then begins.
  std::string_view Take(std::size_t end);

  const Splitter* splitter_;
  std::unique_ptr<pcre2_real_match_data_8, FreeMatch> match_;
  std::string_view text_;
  std::size_t position_ = 0;     // where the next piece begins
  std::size_t valid_begin_ = 0;  // the run of valid UTF-8 that position_ is in
  std::size_t valid_end_ = 0;
};

}  // namespace tern::tokenizer

#endif  // TERN_RUNTIME_TOKENIZER_SPLIT_H_
