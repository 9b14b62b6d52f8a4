#include "runtime/tokenizer/vocabulary.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <unordered_map>

#include "runtime/files/quote.h"
#include "runtime/tokenizer/byte_level.h"
#include "runtime/tokenizer/probing.h"
#include "runtime/tokenizer/sentence_piece.h"
#include "runtime/tokenizer/utf8.h"

namespace tern::tokenizer {
namespace {

std::uint64_t Load(const char* bytes, std::size_t size) {
  std::uint64_t word = 0;
  std::memcpy(&word, bytes, size);
  return word;
}

// Tokens found in the text by their name must differ from each other.
void CheckNamesDiffer(const TokenizerSpec& spec) {
  std::unordered_map<std::string_view, std::size_t> seen;
  for (std::size_t id = 0; id < spec.tokens.size(); ++id) {
    const SpecToken& token = spec.tokens[id];
    if (token.kind != TokenKind::kAdded && token.kind != TokenKind::kControl) {
      continue;
    }
    const auto [first, is_new] = seen.try_emplace(token.bytes, id);
    if (is_new) continue;
    Refuse(ErrorCode::kMalformed, spec.file, spec.tokens_key,
           "ids " + std::to_string(first->second) + " and " +
               std::to_string(id) + " are both " + files::Quote(token.bytes) +
               "; convert the model again");
  }
}

// Bytes that no valid UTF-8 has: GPT-NeoX's vocabulary lacks them.
bool IsNoUtf8Byte(unsigned byte) {
  return byte == 0xC0 || byte == 0xC1 || byte > 0xF4;
}

[[noreturn]] void RefuseByte(unsigned char byte) {
  const char c = static_cast<char>(byte);
  throw Error(ErrorCode::kInvalidArgument,
              "tokenizer: the text is not UTF-8, and this vocabulary has no "
              "token for the byte " +
                  files::Quote({&c, 1}) + "; give it UTF-8");
}

}  // namespace

std::uint64_t HashBytes(std::string_view bytes) {
  constexpr std::uint64_t kOdd = 0x9E3779B97F4A7C15u;  // 2^64 / golden ratio
  std::uint64_t hash = bytes.size() * kOdd;
  const auto mix = [&hash](std::uint64_t word) {
    hash = (hash ^ word) * kOdd;
    hash ^= hash >> 29;
  };
  const char* data = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= 8; data += 8, left -= 8) mix(Load(data, 8));
  if (left >= 4) {  // two loads that may overlap
    mix(Load(data, 4) << 32 | Load(data + left - 4, 4));
  } else if (left > 0) {
    mix(Load(data, 1) << 16 | Load(data + left / 2, 1) << 8 |
        Load(data + left - 1, 1));
  }
  return hash ^ hash >> 32;
}

Vocabulary::Vocabulary(const TokenizerSpec& spec)
    : is_byte_level_(spec.kind == VocabularyKind::kByteLevel) {
  CheckNamesDiffer(spec);
  std::size_t total = 0;
  for (const SpecToken& token : spec.tokens) total += token.bytes.size();
  bytes_.reserve(total);
  offsets_.reserve(spec.tokens.size() + 1);
  kinds_.reserve(spec.tokens.size());
  offsets_.push_back(0);
  for (const SpecToken& token : spec.tokens) {
    bytes_ += token.bytes;
    offsets_.push_back(bytes_.size());
    kinds_.push_back(token.kind);
  }
  slots_.assign(std::bit_ceil(spec.tokens.size() * 2 + 1), -1);
  InsertAll(spec);
  SetByteTokens(spec);
}

void Vocabulary::SetByteTokens(const TokenizerSpec& spec) {
  byte_tokens_.fill(-1);
  for (std::size_t id = 0; !is_byte_level_ && id < size(); ++id) {
    if (kinds_[id] != TokenKind::kByte) continue;
    const auto token = static_cast<Token>(id);
    Token& slot = byte_tokens_[static_cast<unsigned char>(Bytes(token)[0])];
    if (slot >= 0) {
      Refuse(ErrorCode::kMalformed, spec.file, spec.tokens_key,
             "ids " + std::to_string(slot) + " and " + std::to_string(id) +
                 " are the same byte; convert the model again");
    }
    slot = token;
  }
  for (unsigned byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    if (is_byte_level_) byte_tokens_[byte] = Find({&c, 1});
    if (byte_tokens_[byte] >= 0) continue;
    if (is_byte_level_ && IsNoUtf8Byte(byte)) continue;
    Refuse(ErrorCode::kUnsupported, spec.file, spec.tokens_key,
           "no token for byte " + std::to_string(byte) + " (" +
               files::Quote(is_byte_level_ ? SpellingOfBytes({&c, 1})
                                           : NameOfByte(byte)) +
               "); tern reads vocabularies that have all 256");
  }
  for (unsigned byte = 0; byte < 128; ++byte) {
    const char c = static_cast<char>(byte);
    const Token token = Find({&c, 1});
    ascii_tokens_[byte] = token >= 0 ? token : byte_tokens_[byte];
  }
}

std::size_t Vocabulary::FirstSymbols(std::string_view piece,
                                     Token* symbols) const {
  if (is_byte_level_) {
    for (std::size_t i = 0; i < piece.size(); ++i) {
      const auto byte = static_cast<unsigned char>(piece[i]);
      symbols[i] = byte_tokens_[byte];
      if (symbols[i] < 0) RefuseByte(byte);
    }
    return piece.size();
  }
  std::size_t count = 0;
  for (std::size_t i = 0; i < piece.size();) {
    const auto byte = static_cast<unsigned char>(piece[i]);
    if (byte < 128) {
      symbols[count++] = ascii_tokens_[byte];
      ++i;
      continue;
    }
    const std::size_t size = Utf8CharacterSize(piece.substr(i));
    const Token token = size > 0 ? Find(piece.substr(i, size)) : -1;
    if (token >= 0) symbols[count++] = token;
    const std::size_t end = i + std::max<std::size_t>(size, 1);
    for (; i < end; ++i) {
      if (token >= 0) continue;
      symbols[count++] = byte_tokens_[static_cast<unsigned char>(piece[i])];
    }
  }
  return count;
}

void Vocabulary::InsertAll(const TokenizerSpec& spec) {
  const auto for_each = [&](TokenKind kind, const auto& insert) {
    for (std::size_t id = 0; id < size(); ++id) {
      if (kinds_[id] == kind) insert(static_cast<Token>(id));
    }
  };
  for_each(TokenKind::kText, [&](Token token) {
    if (Insert(spec, token)) return;
    Refuse(ErrorCode::kMalformed, spec.file, spec.tokens_key,
           "ids " + std::to_string(slots_[Slot(Bytes(token))]) + " and " +
               std::to_string(token) + " are both " +
               files::Quote(SpellingOf(spec.kind, Bytes(token))) +
               "; convert the model again");
  });
  // An added word may be part of the vocabulary's merges too.  Where it has
  // the bytes of an ordinary token (GPT-NeoX: runs of spaces) BPE makes that.
  // SentencePiece finds such words before, wherever they are.
  if (is_byte_level_) {
    for_each(TokenKind::kAdded, [&](Token token) { Insert(spec, token); });
  }
  if (LongestRun(slots_, [](Token token) { return token < 0; }) > kMaxProbes) {
    RefuseCollisions(spec, spec.tokens_key);
  }
}

std::string_view Vocabulary::Bytes(Token token) const {
  const auto id = static_cast<std::size_t>(token);
  return std::string_view(bytes_).substr(offsets_[id],
                                         offsets_[id + 1] - offsets_[id]);
}

TokenKind Vocabulary::Kind(Token token) const {
  return kinds_[static_cast<std::size_t>(token)];
}

std::size_t Vocabulary::Slot(std::string_view bytes) const {
  const std::size_t mask = slots_.size() - 1;
  std::size_t slot = HashBytes(bytes) & mask;
  while (slots_[slot] >= 0 && Bytes(slots_[slot]) != bytes) {
    slot = (slot + 1) & mask;
  }
  return slot;
}

bool Vocabulary::Insert(const TokenizerSpec& spec, Token token) {
  const std::size_t slot = Slot(Bytes(token));
  const std::size_t mask = slots_.size() - 1;
  if (((slot - HashBytes(Bytes(token))) & mask) > kMaxProbes) {
    RefuseCollisions(spec, spec.tokens_key);
  }
  if (slots_[slot] >= 0) return false;
  slots_[slot] = token;
  longest_ = std::max(longest_, Bytes(token).size());
  return true;
}

Token Vocabulary::Find(std::string_view bytes) const {
  return bytes.size() > longest_ ? -1 : slots_[Slot(bytes)];
}

}  // namespace tern::tokenizer
