// One SentencePiece vocabulary as a GGUF file's metadata, as tokenizer.model
// and as tokenizer.json.
#ifndef TERN_TESTS_RUNTIME_TOKENIZER_SENTENCE_PIECE_FIXTURES_H_
#define TERN_TESTS_RUNTIME_TOKENIZER_SENTENCE_PIECE_FIXTURES_H_

#include <algorithm>
#include <bit>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "runtime/files/gguf.h"
#include "runtime/tokenizer/sentence_piece.h"

namespace tern::tokenizer::testing {

struct Piece {
  std::string name;
  float score = 0;
  int type = 1;
};

// 0 <unk>, 1 <s>, 2 </s>, 3..258 the bytes; 259, 260 and 261 runs of two, four
// and three spaces, of one score; from 262 on "he", " he", "ll", "hell",
// " hello", " " (267), "h", "e", "l", "o" (271), "a" (272), "\u00E9" (273),
// "hello" (274), " hell" (275), of falling scores.
inline std::vector<Piece> SmallPieces() {
  std::vector<Piece> pieces = {{"<unk>", 0, 2}, {"<s>", 0, 3}, {"</s>", 0, 3}};
  for (unsigned byte = 0; byte < 256; ++byte) {
    pieces.push_back({NameOfByte(byte), 0, 6});
  }
  for (const char* run : {"  ", "    ", "   "}) {
    pieces.push_back({EscapeSpaces(run), -1e9F, 1});
  }
  float score = 0;
  for (const char* name : {"he", " he", "ll", "hell", " hello", " ", "h", "e",
                           "l", "o", "a", "\u00E9", "hello", " hell"}) {
    pieces.push_back({EscapeSpaces(name), --score, 1});
  }
  return pieces;
}

inline files::GgufFile PiecesGguf(const std::vector<Piece>& pieces) {
  std::vector<std::string> names;
  std::vector<double> scores;
  std::vector<std::int64_t> types;
  for (const Piece& piece : pieces) {
    names.push_back(piece.name);
    scores.push_back(static_cast<double>(piece.score));
    types.push_back(piece.type);
  }
  files::GgufFile file;
  file.path = "pieces.gguf";
  file.metadata = {{"general.architecture", std::string("llama")},
                   {"tokenizer.ggml.model", std::string("llama")},
                   {"tokenizer.ggml.pre", std::string("default")},
                   {"tokenizer.ggml.tokens", names},
                   {"tokenizer.ggml.scores", scores},
                   {"tokenizer.ggml.token_type", types},
                   {"tokenizer.ggml.bos_token_id", std::uint64_t{1}},
                   {"tokenizer.ggml.eos_token_id", std::uint64_t{2}},
                   {"tokenizer.ggml.unknown_token_id", std::uint64_t{0}}};
  return file;
}

// Fields of Protocol Buffers.
inline std::string Varint(std::uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) {
    bytes += static_cast<char>(value | 0x80);
  }
  return bytes += static_cast<char>(value);
}
inline std::string NumberField(unsigned number, std::uint64_t value) {
  return Varint(std::uint64_t{number} << 3) + Varint(value);
}
inline std::string BytesField(unsigned number, std::string_view bytes) {
  return Varint(std::uint64_t{number} << 3 | 2) + Varint(bytes.size()) +
         std::string(bytes);
}
inline std::string FloatField(unsigned number, float value) {
  std::string bytes = Varint(std::uint64_t{number} << 3 | 5);
  const auto bits = std::bit_cast<std::uint32_t>(value);
  for (unsigned i = 0; i < 4; ++i) bytes += static_cast<char>(bits >> 8 * i);
  return bytes;
}

inline std::string PieceField(const Piece& piece) {
  std::string field = BytesField(1, piece.name) + FloatField(2, piece.score);
  if (piece.type != 1) {
    field += NumberField(3, static_cast<std::uint64_t>(piece.type));
  }
  return BytesField(1, field);
}
// Llama 2's settings.
inline std::string TrainerField() {
  return BytesField(2, NumberField(3, 2) + NumberField(4, 32000) +
                           NumberField(35, 1) + NumberField(40, 0) +
                           NumberField(41, 1) + NumberField(42, 2) +
                           NumberField(43, ~std::uint64_t{0}));
}
inline std::string NormalizerField() {
  return BytesField(3, BytesField(1, "identity") + BytesField(2, "") +
                           NumberField(3, 1) + NumberField(4, 0) +
                           NumberField(5, 1));
}
inline std::string PiecesModel(const std::vector<Piece>& pieces) {
  std::string model;
  for (const Piece& piece : pieces) model += PieceField(piece);
  return model + TrainerField() + NormalizerField();
}

// As transformers makes it: all pairs of pieces that are a third, those of the
// highest score first, of equal scores those of the longest left piece.
inline nlohmann::json PiecesJson(const std::vector<Piece>& pieces) {
  using nlohmann::json;
  std::map<std::string, int> ids;
  json vocab = json::object();
  json added = json::array();
  for (std::size_t id = 0; id < pieces.size(); ++id) {
    vocab[pieces[id].name] = id;
    if (pieces[id].type == 1) ids[pieces[id].name] = static_cast<int>(id);
    if (pieces[id].type != 2 && pieces[id].type != 3) continue;
    added.push_back({{"id", id},
                     {"content", pieces[id].name},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", true},
                     {"special", true}});
  }
  struct Merge {
    float score;
    std::string left;
    std::string right;
  };
  std::vector<Merge> merges;
  for (const Piece& piece : pieces) {
    if (piece.type != 1) continue;
    for (std::size_t at = 1; at < piece.name.size(); ++at) {
      const std::string left = piece.name.substr(0, at);
      const std::string right = piece.name.substr(at);
      if (ids.contains(left) && ids.contains(right)) {
        merges.push_back({piece.score, left, right});
      }
    }
  }
  std::stable_sort(merges.begin(), merges.end(),
                   [](const Merge& a, const Merge& b) {
                     return std::tuple(a.score, a.left.size(), a.right.size()) >
                            std::tuple(b.score, b.left.size(), b.right.size());
                   });
  json list = json::array();
  for (const Merge& merge : merges) list.push_back({merge.left, merge.right});
  json file = json::parse(R"({
    "version": "1.0", "truncation": null, "padding": null,
    "normalizer": {"type": "Sequence", "normalizers": [
      {"type": "Prepend", "prepend": "\u2581"},
      {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}]},
    "pre_tokenizer": null,
    "post_processor": {"type": "TemplateProcessing",
      "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}},
                 {"Sequence": {"id": "A", "type_id": 0}}],
      "pair": [],
      "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}},
    "decoder": {"type": "Sequence", "decoders": [
      {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "},
      {"type": "ByteFallback"}, {"type": "Fuse"},
      {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
    "model": {"type": "BPE", "dropout": null, "unk_token": "<unk>",
      "continuing_subword_prefix": null, "end_of_word_suffix": null,
      "fuse_unk": true, "byte_fallback": true}})");
  file["added_tokens"] = added;
  file["model"]["vocab"] = vocab;
  file["model"]["merges"] = list;
  return file;
}

}  // namespace tern::tokenizer::testing

#endif  // TERN_TESTS_RUNTIME_TOKENIZER_SENTENCE_PIECE_FIXTURES_H_
