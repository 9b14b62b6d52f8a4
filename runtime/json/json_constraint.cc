#include <bit>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <tern/error.h>
#include <tern/json_constraint.h>

#include "runtime/json/automaton.h"
#include "runtime/json/schema.h"
#include "runtime/json/token_trie.h"

namespace tern {
namespace {

// Masks that a text keeps.
constexpr std::size_t kMostMasks = 64;
// Schemas that are kept as they were read: the choices of a request have the
// same, and often many requests have.
constexpr std::size_t kMostSchemas = 8;

// A bit for each token.
using Mask = std::vector<std::uint64_t>;
constexpr std::size_t kBits = 64;

class JsonConstraint : public TokenConstraint {
 public:
  JsonConstraint(std::shared_ptr<const json::TokenTrie> trie,
                 std::shared_ptr<const json::Schema> schema)
      : trie_(std::move(trie)),
        schema_(std::move(schema)),
        automaton_(*schema_),
        state_(automaton_.start()) {}

  void Allow(std::span<std::uint8_t> allowed) override {
    const Mask& mask = MaskOf(state_);
    for (std::size_t i = 0; i < mask.size(); ++i) {
      for (std::uint64_t word = mask[i]; word != 0; word &= word - 1) {
        const std::size_t id =
            i * kBits + static_cast<std::size_t>(std::countr_zero(word));
        if (id < allowed.size()) allowed[id] = 1;
      }
    }
  }

  void Accept(Token token) override {
    if (token < 0 || static_cast<std::size_t>(token) >= trie_->vocab_size()) {
      Refuse(token);
    }
    int state = state_;
    for (const char byte : trie_->Bytes(token)) {
      state = automaton_.Step(state, static_cast<unsigned char>(byte));
      if (state == json::Automaton::kDead) Refuse(token);
    }
    state_ = state;
    if (automaton_.Forget(state_)) masks_.clear();
  }

 private:
  [[noreturn]] static void Refuse(Token token) {
    throw Error(ErrorCode::kInvalidArgument,
                "json constraint: token " + std::to_string(token) +
                    " was not allowed; choose among those that Allow sets");
  }

  // Most of a text is in states that come again: within strings.
  const Mask& MaskOf(int state) {
    const auto known = masks_.find(state);
    if (known != masks_.end()) return known->second;
    if (masks_.size() == kMostMasks) masks_.clear();
    Mask mask(trie_->vocab_size() / kBits + 1);
    const auto allow = [&](Token token) {
      const auto id = static_cast<std::size_t>(token);
      mask[id / kBits] |= std::uint64_t{1} << (id % kBits);
    };
    automaton_.BeginMask(state);
    trie_->Walk(
        state,
        [&](int from, unsigned char byte) {
          return automaton_.StepInMask(from, byte);
        },
        allow);
    if (automaton_.IsComplete(state)) {
      for (const Token token : trie_->end_tokens()) allow(token);
    }
    return masks_.emplace(state, std::move(mask)).first->second;
  }

  std::shared_ptr<const json::TokenTrie> trie_;
  std::shared_ptr<const json::Schema> schema_;
  json::Automaton automaton_;  // refers to *schema_
  std::unordered_map<int, Mask> masks_;
  int state_;
};

}  // namespace

class JsonConstraints::Impl {
 public:
  explicit Impl(const Tokenizer& tokenizer)
      : trie_(std::make_shared<const json::TokenTrie>(tokenizer)) {}

  [[nodiscard]] std::shared_ptr<TokenConstraint> Of(
      std::shared_ptr<const json::Schema> schema) const {
    return std::make_shared<JsonConstraint>(trie_, std::move(schema));
  }

  [[nodiscard]] std::shared_ptr<const json::Schema> Read(
      std::string_view text) const {
    if (auto known = Find(text)) return known;
    auto schema =
        std::make_shared<const json::Schema>(json::Schema::Parse(text));
    const std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock) return schema;
    if (known_.size() == kMostSchemas) known_.pop_front();
    known_.push_back({std::string(text), schema});
    return schema;
  }

 private:
  struct Known {
    std::string text;
    std::shared_ptr<const json::Schema> schema;
  };

  [[nodiscard]] std::shared_ptr<const json::Schema> Find(
      std::string_view text) const {
    const std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock) return nullptr;
    for (const Known& known : known_) {
      if (known.text == text) return known.schema;
    }
    return nullptr;
  }

  std::shared_ptr<const json::TokenTrie> trie_;
  // Never waited for: a child of fork() may find it locked for ever.
  mutable std::mutex mutex_;
  mutable std::deque<Known> known_;  // the oldest first
};

JsonConstraints::JsonConstraints(const Tokenizer& tokenizer)
    : impl_(std::make_unique<const Impl>(tokenizer)) {}
JsonConstraints::JsonConstraints(JsonConstraints&&) noexcept = default;
JsonConstraints& JsonConstraints::operator=(JsonConstraints&&) noexcept =
    default;
JsonConstraints::~JsonConstraints() = default;

std::shared_ptr<TokenConstraint> JsonConstraints::Value() const {
  return impl_->Of(std::make_shared<const json::Schema>(
      json::Schema::AnyOf(json::kAllTypes)));
}

std::shared_ptr<TokenConstraint> JsonConstraints::Object() const {
  return impl_->Of(
      std::make_shared<const json::Schema>(json::Schema::AnyOf(json::kObject)));
}

std::shared_ptr<TokenConstraint> JsonConstraints::Schema(
    std::string_view schema) const {
  return impl_->Of(impl_->Read(schema));
}

}  // namespace tern
