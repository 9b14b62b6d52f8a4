#include "runtime/tokenizer/vocabulary.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <unordered_map>

#include "runtime/files/quote.h"
#include "runtime/tokenizer/byte_level.h"
#include "runtime/tokenizer/probing.h"

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

Vocabulary::Vocabulary(const TokenizerSpec& spec) {
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
  for (unsigned byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    byte_tokens_[byte] = Find({&c, 1});
    if (byte_tokens_[byte] >= 0) continue;
    Refuse(ErrorCode::kUnsupported, spec.file, spec.tokens_key,
           "no token for byte " + std::to_string(byte) + " (" +
               files::Quote(SpellingOfBytes({&c, 1})) +
               "); tern reads byte-level vocabularies, which have all 256");
  }
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
               files::Quote(SpellingOfBytes(Bytes(token))) +
               "; convert the model again");
  });
  // An added word may be part of the vocabulary's merges too.  Where it has
  // the bytes of an ordinary token (GPT-NeoX: runs of spaces) BPE makes that.
  for_each(TokenKind::kAdded, [&](Token token) { Insert(spec, token); });
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
