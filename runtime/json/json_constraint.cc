#include <memory>
#include <string>
#include <utility>

#include <tern/error.h>
#include <tern/json_constraint.h>

#include "runtime/json/automaton.h"
#include "runtime/json/schema.h"
#include "runtime/json/token_trie.h"

namespace tern {
namespace {

class JsonConstraint : public TokenConstraint {
 public:
  JsonConstraint(std::shared_ptr<const json::TokenTrie> trie,
                 json::Schema schema)
      : trie_(std::move(trie)),
        schema_(std::move(schema)),
        automaton_(schema_),
        state_(automaton_.start()) {}

  void Allow(std::span<std::uint8_t> allowed) override {
    const auto allow = [&](Token token) {
      const auto id = static_cast<std::size_t>(token);
      if (id < allowed.size()) allowed[id] = 1;
    };
    automaton_.BeginMask(state_);
    trie_->Walk(
        state_,
        [&](int state, unsigned char byte) {
          return automaton_.StepInMask(state, byte);
        },
        allow);
    if (!automaton_.IsComplete(state_)) return;
    for (const Token token : trie_->end_tokens()) allow(token);
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
    automaton_.Forget(state_);
  }

 private:
  [[noreturn]] static void Refuse(Token token) {
    throw Error(ErrorCode::kInvalidArgument,
                "json constraint: token " + std::to_string(token) +
                    " was not allowed; choose among those that Allow sets");
  }

  std::shared_ptr<const json::TokenTrie> trie_;
  json::Schema schema_;
  json::Automaton automaton_;  // refers to schema_
  int state_;
};

}  // namespace

class JsonConstraints::Impl {
 public:
  explicit Impl(const Tokenizer& tokenizer)
      : trie_(std::make_shared<const json::TokenTrie>(tokenizer)) {}

  [[nodiscard]] std::shared_ptr<TokenConstraint> Of(json::Schema schema) const {
    return std::make_shared<JsonConstraint>(trie_, std::move(schema));
  }

 private:
  std::shared_ptr<const json::TokenTrie> trie_;
};

JsonConstraints::JsonConstraints(const Tokenizer& tokenizer)
    : impl_(std::make_unique<const Impl>(tokenizer)) {}
JsonConstraints::JsonConstraints(JsonConstraints&&) noexcept = default;
JsonConstraints& JsonConstraints::operator=(JsonConstraints&&) noexcept =
    default;
JsonConstraints::~JsonConstraints() = default;

std::shared_ptr<TokenConstraint> JsonConstraints::Value() const {
  return impl_->Of(json::Schema::AnyOf(json::kAllTypes));
}

std::shared_ptr<TokenConstraint> JsonConstraints::Object() const {
  return impl_->Of(json::Schema::AnyOf(json::kObject));
}

std::shared_ptr<TokenConstraint> JsonConstraints::Schema(
    std::string_view schema) const {
  return impl_->Of(json::Schema::Parse(schema));
}

}  // namespace tern
