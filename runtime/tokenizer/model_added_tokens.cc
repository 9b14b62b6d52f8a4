#include "runtime/tokenizer/model_added_tokens.h"

#include <charconv>
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "runtime/files/input_file.h"
#include "runtime/files/json.h"
#include "runtime/files/quote.h"
#include "runtime/tokenizer/json_document.h"
#include "runtime/tokenizer/sentence_piece.h"

namespace tern::tokenizer {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// Far more than any model has beyond its pieces.
constexpr std::size_t kMaxAdded = std::size_t{1} << 20;

struct AddedToken {
  std::string name;
  bool special = false;
  std::string place;  // for messages: file and key
  std::string key;
};

class Collector {
 public:
  explicit Collector(TokenizerSpec& spec) : spec_(spec) {}

  // added_tokens.json
  void ReadIds(const JsonNode& root) {
    root.RequireObject();
    for (const auto& [name, value] : root.value().items()) {
      const JsonNode entry(value, root.file(), files::Quote(name));
      Add(entry.Id(Limit()), name, false, entry);
    }
  }

  void ReadConfig(const JsonNode& root) {
    ReadSpecialNames(root);
    if (const auto decoder = root.Find("added_tokens_decoder")) {
      decoder->RequireObject();
      for (const auto& [id, value] : decoder->value().items()) {
        ReadDecoderEntry(
            id, JsonNode(value, root.file(), decoder->key() + "." + id));
      }
    }
    const auto legacy = root.Find("legacy");
    if (legacy.has_value() && !legacy->Bool()) {
      spec_.dummy_prefix.first_only = spec_.dummy_prefix.added;
    }
    RequireUnset(root, "add_prefix_space", spec_.dummy_prefix.added);
  }

  // Which names are special: members *_token, and a list of further ones.
  void ReadSpecialNames(const JsonNode& root) {
    root.RequireObject();
    for (const auto& [key, value] : root.value().items()) {
      if (key.ends_with("_token") && (value.is_string() || value.is_object())) {
        AddSpecialName(JsonNode(value, root.file(), key));
      }
    }
    const auto more = root.Find("additional_special_tokens");
    if (!more.has_value()) return;
    more->RequireArray();
    for (std::size_t i = 0; i < more->value().size(); ++i) {
      AddSpecialName(more->At(i));
    }
  }

  void Finish() {
    for (auto& [id, token] : added_) {
      const bool special = token.special || special_names_.contains(token.name);
      const auto index = static_cast<std::size_t>(id);
      if (index > spec_.tokens.size()) {
        Refuse(ErrorCode::kMalformed, token.place, token.key,
               "no token has the id " + std::to_string(spec_.tokens.size()) +
                   ", though there are higher ones; use the files as they "
                   "were published");
      }
      if (index < spec_.tokens.size()) {
        UseKnown(token, special, index);
      } else {
        spec_.tokens.push_back({.bytes = token.name, .kind = KindOf(special)});
      }
    }
  }

 private:
  [[nodiscard]] std::size_t Limit() const {
    return spec_.tokens.size() + kMaxAdded;
  }
  static TokenKind KindOf(bool special) {
    return special ? TokenKind::kControl : TokenKind::kAdded;
  }

  void Add(Token id, const std::string& name, bool special,
           const JsonNode& node) {
    const auto [entry, is_new] = added_.try_emplace(
        id, AddedToken{name, special, node.file(), node.key()});
    if (name.empty() || (!is_new && entry->second.name != name)) {
      Refuse(ErrorCode::kMalformed, node.file(), node.key(),
             "id " + std::to_string(id) + " is " + files::Quote(name) +
                 " here and " + files::Quote(entry->second.name) +
                 " elsewhere; use the files as they were published");
    }
    entry->second.special = entry->second.special || special;
  }

  void ReadDecoderEntry(const std::string& id_text, const JsonNode& entry) {
    entry.AllowOnly({"content", "single_word", "lstrip", "rstrip", "normalized",
                     "special", "__type"});
    for (const char* flag : {"single_word", "lstrip", "rstrip"}) {
      RequireUnset(entry, flag, false);
    }
    Token id = -1;
    const char* const end = id_text.data() + id_text.size();
    const auto result = std::from_chars(id_text.data(), end, id);
    if (result.ec != std::errc() || result.ptr != end || id < 0 ||
        static_cast<std::size_t>(id) >= Limit()) {
      Refuse(ErrorCode::kMalformed, entry.file(), entry.key(),
             files::Quote(id_text) +
                 " is not a token id; use the file as it was published");
    }
    const auto special = entry.Find("special");
    Add(id, entry.Require("content").String(),
        special.has_value() && special->Bool(), entry);
  }

  void AddSpecialName(const JsonNode& node) {
    special_names_.insert(node.value().is_object()
                              ? node.Require("content").String()
                              : node.String());
  }

  // A token that the model has as a piece: <s> is one of its control pieces,
  // and an ordinary one becomes a token that is found by name.
  void UseKnown(const AddedToken& token, bool special, std::size_t index) {
    SpecToken& known = spec_.tokens[index];
    const std::string name = known.kind == TokenKind::kText
                                 ? EscapeSpaces(known.bytes)
                                 : known.bytes;
    if (known.kind == TokenKind::kByte || name != token.name) {
      Refuse(ErrorCode::kMalformed, token.place, token.key,
             files::Quote(token.name) + " has the id " + std::to_string(index) +
                 ", which is " + files::Quote(name) +
                 " in tokenizer.model; use the files as they were published");
    }
    if (known.kind == TokenKind::kControl) return;
    known.bytes = token.name;
    known.kind = KindOf(special);
  }

  TokenizerSpec& spec_;
  std::map<Token, AddedToken> added_;
  std::set<std::string> special_names_;
};

}  // namespace

void ReadAddedTokensBeside(const fs::path& tokenizer_model,
                           TokenizerSpec& spec) {
  Collector collector(spec);
  const auto read = [&](const char* name, auto method) {
    const fs::path path = fs::path(tokenizer_model).replace_filename(name);
    if (!files::IsThere(path)) return;
    const files::JsonDocument document =
        files::ReadJsonObject(path, kMaxConfigBytes);
    (collector.*method)(JsonNode(*document, path.string(), ""));
  };
  read("added_tokens.json", &Collector::ReadIds);
  read("special_tokens_map.json", &Collector::ReadSpecialNames);
  read("tokenizer_config.json", &Collector::ReadConfig);
  collector.Finish();
}

}  // namespace tern::tokenizer
