// Any bytes through the two kinds of tokenizer, byte-level and SentencePiece,
// as ordinary text, with special tokens and with a mask of them.
#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/files/gguf.h"
#include "runtime/tokenizer/byte_level.h"
#include "runtime/tokenizer/sentence_piece.h"
#include "runtime/tokenizer/tokenizer_gguf.h"
#include "runtime/tokenizer/tokenizer_json.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/tokenizer_text.h"

namespace tern::fuzz {
namespace {

files::GgufFile Common(const char* model) {
  files::GgufFile file;
  file.path = "made.gguf";
  file.metadata = {{"general.architecture", std::string("llama")},
                   {"tokenizer.ggml.model", std::string(model)}};
  return file;
}

// Bytes, a few merges of letters, of spaces and across both.
Tokenizer MakeByteLevel(const char* pre_tokenizer) {
  std::vector<std::string> tokens;
  for (unsigned byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    tokens.push_back(tokenizer::SpellingOfBytes({&c, 1}));
  }
  std::vector<std::string> merges;
  const std::array<std::array<const char*, 2>, 9> pairs = {{{"h", "e"},
                                                            {"l", "l"},
                                                            {"he", "ll"},
                                                            {"hell", "o"},
                                                            {" ", "a"},
                                                            {" ", " "},
                                                            {"  ", "  "},
                                                            {"a", "a"},
                                                            {"\xC3", "\xA9"}}};
  for (const auto& [left, right] : pairs) {
    const std::string a = tokenizer::SpellingOfBytes(left);
    const std::string b = tokenizer::SpellingOfBytes(right);
    tokens.push_back(a + b);
    merges.push_back(a + " " + b);
  }
  std::vector<std::int64_t> types(tokens.size(), 1);
  for (const char* name : {"<|begin_of_text|>", "<|eot_id|>"}) {
    tokens.emplace_back(name);
    types.push_back(3);
  }
  tokens.emplace_back("<think>");
  types.push_back(4);
  files::GgufFile file = Common("gpt2");
  file.metadata["tokenizer.ggml.pre"] = std::string(pre_tokenizer);
  file.metadata["tokenizer.ggml.tokens"] = tokens;
  file.metadata["tokenizer.ggml.token_type"] = types;
  file.metadata["tokenizer.ggml.merges"] = merges;
  file.metadata["tokenizer.ggml.bos_token_id"] = std::uint64_t{265};
  file.metadata["tokenizer.ggml.eos_token_id"] = std::uint64_t{266};
  return tokenizer::MakeGgufTokenizer(file);
}

Tokenizer MakeSentencePiece(bool add_space_prefix) {
  std::vector<std::string> tokens = {"<unk>", "<s>", "</s>"};
  std::vector<std::int64_t> types = {2, 3, 3};
  std::vector<double> scores = {0, 0, 0};
  for (unsigned byte = 0; byte < 256; ++byte) {
    tokens.push_back(tokenizer::NameOfByte(static_cast<std::uint8_t>(byte)));
    types.push_back(6);
    scores.push_back(0);
  }
  for (const char* piece :
       {"  ", "    ", "he", " he", "ll", "hell", " hello", " ", "h", "e", "l",
        "o", "a", "aa", "aaaa", "\u00E9", "hello", " hell"}) {
    tokens.push_back(tokenizer::EscapeSpaces(piece));
    types.push_back(1);
    scores.push_back(-static_cast<double>(tokens.size()));
  }
  files::GgufFile file = Common("llama");
  file.metadata["tokenizer.ggml.pre"] = std::string("default");
  file.metadata["tokenizer.ggml.tokens"] = tokens;
  file.metadata["tokenizer.ggml.token_type"] = types;
  file.metadata["tokenizer.ggml.scores"] = scores;
  file.metadata["tokenizer.ggml.bos_token_id"] = std::uint64_t{1};
  file.metadata["tokenizer.ggml.eos_token_id"] = std::uint64_t{2};
  file.metadata["tokenizer.ggml.add_space_prefix"] = add_space_prefix;
  return tokenizer::MakeGgufTokenizer(file);
}

struct Subject {
  Tokenizer tokenizer;
  bool nfc = false;
  bool sentence_piece = false;
  bool space_prefix = false;  // before all text between special tokens
};

const std::vector<Subject>& Subjects() {
  static const std::vector<Subject> subjects = [] {
    std::vector<Subject> made;
    made.push_back({tokenizer::LoadJsonTokenizer(
        std::string(TERN_SOURCE_DIR) +
        "/tests/golden/tokenizer/tokenizer.json")});
    for (const char* pre : {"llama-bpe", "gpt-2", "falcon3"}) {
      made.push_back({MakeByteLevel(pre)});
    }
    made.push_back({MakeByteLevel("qwen2"), true});
    made.push_back({MakeSentencePiece(true), false, true, true});
    made.push_back({MakeSentencePiece(false), false, true});
    return made;
  }();
  return subjects;
}

}  // namespace
}  // namespace tern::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  using namespace tern::fuzz;  // NOLINT(google-build-using-namespace)
  Input input(data, size);
  const std::size_t which = input.Number<std::uint8_t>() % Subjects().size();
  const Subject& subject = Subjects()[which];
  const auto bits = input.Number<std::uint8_t>();
  const std::string_view text = input.Rest();
  // To SentencePiece U+2581 is a space; NFC changes what is not ASCII.
  const bool ascii = std::all_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x80;
  });
  const bool changes =
      (subject.nfc && !ascii) || (subject.space_prefix && (bits & 2U) != 0) ||
      (subject.sentence_piece && text.find("\u2581") != std::string_view::npos);
  std::string mask;
  for (const char c : text) mask += (c & bits) != 0 ? '1' : '0';
  const tern::EncodeOptions options = {
      .add_bos = (bits & 1U) != 0,
      .parse_special = (bits & 2U) != 0,
      .special_mask = (bits & 4U) != 0 ? std::string_view(mask) : ""};
  CheckEncoding(subject.tokenizer, text, options,
                changes ? Changes::kNormalization : Changes::kNothing);
  return 0;
}
