// SentencePiece's add_dummy_prefix: a space is put before a text, so that its
// first word is spelled as it is after a space.  "Text" is what stands between
// tokens that are found by name; the forms differ in what follows such a token.
#ifndef TERN_RUNTIME_TOKENIZER_DUMMY_PREFIX_H_
#define TERN_RUNTIME_TOKENIZER_DUMMY_PREFIX_H_

#include <optional>
#include <string_view>

namespace tern::tokenizer {

struct DummyPrefix {
  bool added = false;
  bool first_only = false;    // only where nothing stands before the text
  bool unless_space = false;  // and not where it begins with a space already
  friend bool operator==(const DummyPrefix&, const DummyPrefix&) = default;
};

// GGUF's tokenizer.ggml.add_space_prefix means a space before every text, as
// Llama 2's own tokenizer.json does.  For the other forms tern writes this key;
// other programs do not know it, and put the space everywhere.
inline constexpr const char* kDummyPrefix = "tokenizer.tern.dummy_prefix";

// nullopt if no form has this name, or the form has no name because it is the
// one without the key, or none at all.
[[nodiscard]] std::optional<DummyPrefix> DummyPrefixByName(
    std::string_view name);
[[nodiscard]] std::optional<std::string_view> NameOf(const DummyPrefix& prefix);

}  // namespace tern::tokenizer

#endif  // TERN_RUNTIME_TOKENIZER_DUMMY_PREFIX_H_
