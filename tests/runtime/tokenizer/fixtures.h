// What the tokenizer's tests share.
#ifndef TERN_TESTS_RUNTIME_TOKENIZER_FIXTURES_H_
#define TERN_TESTS_RUNTIME_TOKENIZER_FIXTURES_H_

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <string_view>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>

#include <tern/error.h>
#include <tern/tokenizer.h>

#include "runtime/files/gguf.h"
#include "runtime/tokenizer/byte_level.h"
#include "runtime/tokenizer/tokenizer_spec.h"

namespace tern::tokenizer::testing {

inline std::filesystem::path GoldenDirectory() {
  return std::filesystem::path(TERN_SOURCE_DIR) / "tests/golden/tokenizer";
}

inline std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.good()) << path;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// A directory of its own for each test, removed at its end.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name =
        (std::filesystem::temp_directory_path() / "tern-tokenizer-XXXXXX")
            .string();
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    path_ = name;
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  void Write(const char* name, std::string_view text) const {
    std::ofstream(path_ / name, std::ios::binary) << text;
  }

 private:
  std::filesystem::path path_;
};

// Deterministic random numbers (xorshift64*).
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed * 2 + 1) {}
  std::uint64_t Below(std::uint64_t limit) {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return (state_ * 0x2545F4914F6CDD1Du >> 33) % limit;
  }

 private:
  std::uint64_t state_;
};

// The 256 bytes as ids 0..255, in byte-level spelling.
inline std::vector<std::string> ByteSpellings() {
  std::vector<std::string> names;
  for (unsigned byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    names.push_back(SpellingOfBytes({&c, 1}));
  }
  return names;
}

// The 256 bytes; 256 "he", 257 "ll", 258 "hell", 259 "hello", 260 " a" (which
// no merge makes); 261 <|begin_of_text|>, 262 <|eot_id|>, 263 "word" (added).
inline nlohmann::json SmallTokenizerJson() {
  nlohmann::json file =
      nlohmann::json::parse(ReadFile(GoldenDirectory() / "tokenizer.json"));
  nlohmann::json vocab;
  const auto bytes = ByteSpellings();
  for (unsigned byte = 0; byte < 256; ++byte) vocab[bytes[byte]] = byte;
  vocab["he"] = 256;
  vocab["ll"] = 257;
  vocab["hell"] = 258;
  vocab["hello"] = 259;
  vocab["\u0120a"] = 260;
  file["model"]["vocab"] = vocab;
  file["model"]["merges"] = nlohmann::json::parse(
      R"([["h","e"],["l","l"],["he","ll"],["hell","o"]])");
  const auto added = [](int id, const char* content, bool special) {
    return nlohmann::json{
        {"id", id},          {"content", content},     {"lstrip", false},
        {"rstrip", false},   {"normalized", !special}, {"single_word", false},
        {"special", special}};
  };
  file["added_tokens"] = {added(261, "<|begin_of_text|>", true),
                          added(262, "<|eot_id|>", true),
                          added(263, "word", false)};
  file["post_processor"]["processors"][1]["special_tokens"]["<|begin_of_text|>"]
      ["ids"] = {261};
  return file;
}

// The same tokenizer as the metadata of a GGUF file.
inline files::GgufFile SmallGguf() {
  std::vector<std::string> tokens = ByteSpellings();
  for (const char* name : {"he", "ll", "hell", "hello", "\u0120a",
                           "<|begin_of_text|>", "<|eot_id|>", "word"}) {
    tokens.emplace_back(name);
  }
  std::vector<std::int64_t> types(tokens.size(), 1);
  types[261] = types[262] = 3;
  types[263] = 4;
  files::GgufFile file;
  file.path = "small.gguf";
  file.metadata = {
      {"general.architecture", std::string("bitnet-b1.58")},
      {"tokenizer.ggml.model", std::string("gpt2")},
      {"tokenizer.ggml.pre", std::string("llama-bpe")},
      {"tokenizer.ggml.tokens", tokens},
      {"tokenizer.ggml.token_type", types},
      {"tokenizer.ggml.merges",
       std::vector<std::string>{"h e", "l l", "he ll", "hell o"}},
      {"tokenizer.ggml.bos_token_id", std::uint64_t{261}},
      {"tokenizer.ggml.eos_token_id", std::uint64_t{0}},
  };
  return file;
}

// `load` must throw an Error of this code whose message is one line and has
// all of `parts`.
template <typename Load>
void ExpectRefusal(const Load& load, ErrorCode code,
                   const std::vector<std::string>& parts) {
  try {
    (void)load();
    FAIL() << "accepted, where an Error with '" << parts.front()
           << "' was expected";
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_EQ(error.code(), code) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    for (const std::string& part : parts) {
      EXPECT_NE(message.find(part), std::string::npos) << message;
    }
  }
}

}  // namespace tern::tokenizer::testing

#endif  // TERN_TESTS_RUNTIME_TOKENIZER_FIXTURES_H_
