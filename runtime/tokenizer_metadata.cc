#include "runtime/tokenizer_metadata.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <set>
#include <utility>
#include <vector>

#include <tern/error.h>

#include "runtime/files/input_file.h"
#include "runtime/files/json.h"
#include "runtime/files/quote.h"

namespace tern {
namespace {

namespace fs = std::filesystem;
using files::Quote;
using nlohmann::json;

constexpr std::uint64_t kMaxTokenizerBytes = std::uint64_t{256} << 20;
constexpr std::uint64_t kMaxConfigBytes = std::uint64_t{16} << 20;
// Merges: Llama 3 has 280,147.
constexpr files::JsonLimits kTokenizerLimits = {
    .depth = 32, .array_length = std::size_t{1} << 22};

// Values of tokenizer.ggml.token_type.
constexpr std::int64_t kNormal = 1;
constexpr std::int64_t kControl = 3;
constexpr std::int64_t kUserDefined = 4;
constexpr std::int64_t kUnused = 5;

// Llama 3's expression for cutting a text into words, as tokenizer.json spells
// it; GGUF calls it llama-bpe.
constexpr const char* kLlama3Split =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3})"
    R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

// A member, or null.
const json& Member(const json& object, const char* name) {
  static const json null_value;
  const auto found = object.find(name);
  return found == object.end() ? null_value : *found;
}

class Converter {
 public:
  Converter(const HuggingFaceTokenizer& source, std::size_t vocab_size)
      : source_(source), names_(vocab_size), types_(vocab_size, kUnused) {}

  files::GgufMetadata Convert();

 private:
  [[noreturn]] void Refuse(ErrorCode code, const std::string& file,
                           const std::string& key,
                           const std::string& what) const {
    throw Error(code, (source_.directory / file).string() + ": key " +
                          Quote(key) + ": " + what);
  }
  // For what is well formed but has no place in GGUF.
  [[noreturn]] void Unsupported(const std::string& key,
                                const json& value) const {
    Refuse(ErrorCode::kUnsupported, "tokenizer.json", key,
           "GGUF metadata cannot say " + Quote(value.dump()) +
               "; keep the model in its Hugging Face form");
  }
  [[noreturn]] void Malformed(const std::string& key,
                              const std::string& what) const {
    Refuse(ErrorCode::kMalformed, "tokenizer.json", key,
           what + "; fetch the file again");
  }
  // Refuses anything but null and `implied`.
  void RequireImplied(const json& object, const std::string& path,
                      const char* name, const json& implied) const {
    const json& value = Member(object, name);
    if (!value.is_null() && value != implied) {
      Unsupported(path + name, value);
    }
  }

  void CheckModel(const json& model) const;
  void CheckPreTokenizer() const;
  void ReadPostProcessor();
  void ReadTemplate(const json& single);
  [[nodiscard]] std::size_t Id(const json& id, const std::string& key) const;
  void ReadVocabulary(const json& vocab);
  void ReadAddedTokens();
  void NameUnusedIds();
  [[nodiscard]] std::vector<std::string> Merges(const json& merges) const;
  [[nodiscard]] std::optional<std::size_t> SpecialToken(const json& name) const;
  void ReadTokenizerConfig();
  [[nodiscard]] std::vector<std::size_t> EndTokens() const;
  void AppendSpecialTokens(files::GgufMetadata& metadata) const;
  void AppendChatTemplate(files::GgufMetadata& metadata) const;

  const HuggingFaceTokenizer& source_;
  std::vector<std::string> names_;   // [vocab_size]
  std::vector<std::int64_t> types_;  // [vocab_size]
  std::optional<std::size_t> bos_;
  bool adds_bos_ = false;
};

// "gpt2" means plain byte-level BPE, "llama-bpe" also that words found in the
// vocabulary are not merged (ignore_merges).
void Converter::CheckModel(const json& model) const {
  if (Member(model, "type") != "BPE") {
    Unsupported("model.type", Member(model, "type"));
  }
  if (Member(model, "ignore_merges") != true) {
    Unsupported("model.ignore_merges", Member(model, "ignore_merges"));
  }
  RequireImplied(model, "model.", "dropout", 0.0);
  RequireImplied(model, "model.", "unk_token", nullptr);
  RequireImplied(model, "model.", "continuing_subword_prefix", "");
  RequireImplied(model, "model.", "end_of_word_suffix", "");
  RequireImplied(model, "model.", "fuse_unk", false);
  RequireImplied(model, "model.", "byte_fallback", false);
}

void Converter::CheckPreTokenizer() const {
  RequireImplied(source_.tokenizer, "", "normalizer", nullptr);
  if (Member(Member(source_.tokenizer, "decoder"), "type") != "ByteLevel") {
    Unsupported("decoder", Member(source_.tokenizer, "decoder"));
  }
  json pre = Member(source_.tokenizer, "pre_tokenizer");
  json& steps = pre["pretokenizers"];
  if (steps.is_array() && steps.size() == 2 && steps[1].is_object()) {
    steps[1].erase("trim_offsets");  // moves offsets into the text, not tokens
  }
  const json implied = {{"type", "Sequence"},
                        {"pretokenizers",
                         {{{"type", "Split"},
                           {"pattern", {{"Regex", kLlama3Split}}},
                           {"behavior", "Isolated"},
                           {"invert", false}},
                          {{"type", "ByteLevel"},
                           {"add_prefix_space", false},
                           {"use_regex", false}}}}};
  if (pre != implied) Unsupported("pre_tokenizer", pre);
}

std::size_t Converter::Id(const json& id, const std::string& key) const {
  if (!id.is_number_unsigned()) Malformed(key, "is not a token's number");
  const auto value = id.get<std::uint64_t>();
  if (value >= names_.size()) {
    Malformed(key, "id " + std::to_string(value) +
                       " is beyond the model's vocabulary of " +
                       std::to_string(names_.size()));
  }
  return static_cast<std::size_t>(value);
}

void Converter::ReadVocabulary(const json& vocab) {
  for (const auto& [name, number] : vocab.items()) {
    const std::size_t id = Id(number, "model.vocab." + name);
    if (types_[id] != kUnused) {
      Malformed("model.vocab", "id " + std::to_string(id) + " is given twice");
    }
    names_[id] = name;
    types_[id] = kNormal;
  }
}

void Converter::ReadAddedTokens() {
  const json& vocab = source_.tokenizer.at("model").at("vocab");
  for (const json& token : Member(source_.tokenizer, "added_tokens")) {
    const auto& name = token.at("content").get_ref<const std::string&>();
    const std::string key = "added_tokens." + name;
    for (const char* flag : {"single_word", "lstrip", "rstrip"}) {
      RequireImplied(token, key + ".", flag, false);
    }
    const std::size_t id = Id(token.at("id"), key);
    const auto known = vocab.find(name);
    if (known == vocab.end() ? types_[id] != kUnused : *known != id) {
      Malformed(key, "id " + std::to_string(id) +
                         " contradicts the vocabulary or is given twice");
    }
    names_[id] = name;
    types_[id] = token.at("special").get<bool>() ? kControl : kUserDefined;
  }
}

void Converter::NameUnusedIds() {
  std::set<std::string> taken(names_.begin(), names_.end());
  for (std::size_t id = 0; id < names_.size(); ++id) {
    if (types_[id] != kUnused) continue;
    std::string name = "[PAD" + std::to_string(id) + "]";
    while (!taken.insert(name).second) name += "_";
    names_[id] = name;
  }
}

std::vector<std::string> Converter::Merges(const json& merges) const {
  std::vector<std::string> result;
  result.reserve(merges.size());
  for (const json& merge : merges) {
    const bool is_pair = merge.is_array() && merge.size() == 2;
    result.push_back(is_pair ? merge[0].get<std::string>() + " " +
                                   merge[1].get<std::string>()
                             : merge.get<std::string>());
    if (std::count(result.back().begin(), result.back().end(), ' ') != 1) {
      Unsupported("model.merges", merge);
    }
  }
  return result;
}

// The one token in front of every text: [token, A].
void Converter::ReadTemplate(const json& single) {
  const bool has_token =
      single.size() == 2 && single[0].contains("SpecialToken");
  if ((single.size() != 1 && !has_token) ||
      !single.back().contains("Sequence")) {
    Unsupported("post_processor.single", single);
  }
  if (!has_token) return;
  const json& name = single[0].at("SpecialToken").at("id");
  bos_ = SpecialToken(name);
  adds_bos_ = true;
  if (!bos_) Malformed("post_processor", Quote(name.dump()) + " is no token");
}

void Converter::ReadPostProcessor() {
  const json& post = Member(source_.tokenizer, "post_processor");
  if (post.is_null()) return;
  json steps = json::array({post});
  if (post.at("type") == "Sequence") steps = post.at("processors");
  bool has_template = false;
  for (const json& step : steps) {
    if (step.at("type") == "ByteLevel") continue;  // moves offsets, not tokens
    if (step.at("type") != "TemplateProcessing" || has_template) {
      Unsupported("post_processor", post);
    }
    has_template = true;
    ReadTemplate(step.at("single"));
  }
}

// By its name, or by an object with its name as "content"; empty for null.
std::optional<std::size_t> Converter::SpecialToken(const json& name) const {
  const json& text = name.is_object() ? Member(name, "content") : name;
  if (text.is_null()) return std::nullopt;
  for (std::size_t id = 0; id < names_.size(); ++id) {
    if (types_[id] == kControl &&
        names_[id] == text.get_ref<const std::string&>()) {
      return id;
    }
  }
  return std::nullopt;
}

void Converter::ReadTokenizerConfig() {
  if (source_.tokenizer_config.is_null()) return;
  const json& config = source_.tokenizer_config;
  if (!bos_) bos_ = SpecialToken(Member(config, "bos_token"));
  const json& add_bos = Member(config, "add_bos_token");
  if (!add_bos.is_null()) adds_bos_ = add_bos.get<bool>();
  const json& add_eos = Member(config, "add_eos_token");
  if (!add_eos.is_null() && add_eos.get<bool>()) {
    Refuse(ErrorCode::kUnsupported, "tokenizer_config.json", "add_eos_token",
           "tern adds no token after a text; set it to false");
  }
  if (adds_bos_ && !bos_) {
    Refuse(ErrorCode::kMalformed, "tokenizer_config.json", "add_bos_token",
           "there is no token to add; fetch the file again");
  }
}

// In the order in which the files name them, each once.
std::vector<std::size_t> Converter::EndTokens() const {
  std::vector<std::size_t> ends;
  const auto add = [&](std::size_t id) {
    if (std::find(ends.begin(), ends.end(), id) == ends.end()) {
      ends.push_back(id);
    }
  };
  for (const json* file : {&source_.config, &source_.generation_config}) {
    if (file->is_null()) continue;
    const json& value = Member(*file, "eos_token_id");
    if (value.is_null()) continue;
    const json ids = value.is_array() ? value : json::array({value});
    for (const json& id : ids) add(Id(id, "eos_token_id"));
  }
  if (!source_.tokenizer_config.is_null()) {
    const auto eos =
        SpecialToken(Member(source_.tokenizer_config, "eos_token"));
    if (eos) add(*eos);
  }
  // Llama 3's end of a turn; published files leave it undeclared.
  if (const auto end_of_turn = SpecialToken("<|eot_id|>")) add(*end_of_turn);
  return ends;
}

void Converter::AppendSpecialTokens(files::GgufMetadata& metadata) const {
  const auto append = [&](const char* name, std::size_t id) {
    metadata.emplace_back(std::string("tokenizer.ggml.") + name + "_token_id",
                          std::uint64_t{id});
  };
  if (bos_) append("bos", *bos_);
  // GGUF has three keys for tokens that stop a text: its end, the end of a
  // turn, the end of a message.
  constexpr std::array<const char*, 3> kEndNames = {"eos", "eot", "eom"};
  const std::vector<std::size_t> ends = EndTokens();
  if (ends.size() > kEndNames.size()) {
    Refuse(ErrorCode::kUnsupported, "generation_config.json", "eos_token_id",
           "GGUF metadata has no place for more than three end tokens; keep "
           "the model in its Hugging Face form");
  }
  for (std::size_t i = 0; i < ends.size(); ++i) append(kEndNames[i], ends[i]);
  metadata.emplace_back("tokenizer.ggml.add_bos_token", adds_bos_);
}

// One template, or a list of named ones of which "default" is that of a chat.
void Converter::AppendChatTemplate(files::GgufMetadata& metadata) const {
  const std::string key = "tokenizer.chat_template";
  if (source_.chat_template) {
    metadata.emplace_back(key, *source_.chat_template);
    return;
  }
  if (source_.tokenizer_config.is_null()) return;
  const json& value = Member(source_.tokenizer_config, "chat_template");
  if (value.is_string()) {
    metadata.emplace_back(key, value.get<std::string>());
    return;
  }
  for (const json& named : value) {
    std::string named_key = key;
    if (named.at("name") != "default") {
      named_key.append(".").append(named.at("name").get<std::string>());
    }
    metadata.emplace_back(std::move(named_key),
                          named.at("template").get<std::string>());
  }
}

files::GgufMetadata Converter::Convert() {
  const json& model = source_.tokenizer.at("model");
  CheckModel(model);
  CheckPreTokenizer();
  ReadVocabulary(model.at("vocab"));
  ReadAddedTokens();
  ReadPostProcessor();
  ReadTokenizerConfig();
  NameUnusedIds();
  files::GgufMetadata metadata = {
      {"tokenizer.ggml.model", std::string("gpt2")},
      {"tokenizer.ggml.pre", std::string("llama-bpe")},
      {"tokenizer.ggml.tokens", names_},
      {"tokenizer.ggml.token_type", types_},
      {"tokenizer.ggml.merges", Merges(model.at("merges"))},
  };
  AppendSpecialTokens(metadata);
  AppendChatTemplate(metadata);
  return metadata;
}

json ReadIfThere(const fs::path& path) {
  std::error_code ignored;
  if (!fs::exists(path, ignored)) return nullptr;
  return files::ReadJsonObject(path, kMaxConfigBytes);
}

}  // namespace

std::optional<HuggingFaceTokenizer> ReadHuggingFaceTokenizer(
    const fs::path& directory) {
  std::error_code ignored;
  const fs::path path = directory / "tokenizer.json";
  if (!fs::exists(path, ignored)) {
    const fs::path sentence_piece = directory / "tokenizer.model";
    if (!fs::exists(sentence_piece, ignored)) return std::nullopt;
    throw Error(ErrorCode::kUnsupported,
                sentence_piece.string() +
                    ": a SentencePiece tokenizer, which tern does not read; "
                    "add the model's tokenizer.json, or move this file away "
                    "to pack without a tokenizer");
  }
  HuggingFaceTokenizer source;
  source.directory = directory;
  source.tokenizer =
      files::ReadJsonObject(path, kMaxTokenizerBytes, kTokenizerLimits);
  source.tokenizer_config = ReadIfThere(directory / "tokenizer_config.json");
  source.config = ReadIfThere(directory / "config.json");
  source.generation_config = ReadIfThere(directory / "generation_config.json");
  const fs::path chat_template = directory / "chat_template.jinja";
  if (fs::exists(chat_template, ignored)) {
    source.chat_template = files::ReadTextFile(chat_template, kMaxConfigBytes);
  }
  return source;
}

files::GgufMetadata TokenizerMetadata(const HuggingFaceTokenizer& source,
                                      std::size_t vocab_size) {
  try {
    return Converter(source, vocab_size).Convert();
  } catch (const json::exception& error) {
    // A member that is missing or of another type.
    throw Error(ErrorCode::kMalformed,
                (source.directory / "tokenizer.json").string() +
                    ": is not what Hugging Face writes (" + error.what() +
                    "); fetch the tokenizer's files again");
  }
}

}  // namespace tern
