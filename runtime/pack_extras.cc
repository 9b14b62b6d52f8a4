#include "runtime/pack_extras.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <tern/error.h>

#include "runtime/checkpoint/gguf_config.h"
#include "runtime/checkpoint/hf_config.h"
#include "runtime/files/input_file.h"
#include "runtime/files/json.h"
#include "runtime/files/quote.h"

namespace tern {
namespace {

namespace fs = std::filesystem;
using checkpoint::Checkpoint;
using files::GgufFile;
using files::GgufValue;
using nlohmann::json;

constexpr std::uint64_t kMaxConfigBytes = std::uint64_t{16} << 20;

// General keys that are pack's to write.
constexpr std::array<std::string_view, 5> kOwnKeys = {
    "general.architecture", "general.name", "general.file_type",
    "general.quantization_version", "general.alignment"};

// Those of kSilentTokenizerKeys that its reader wants to be false.
constexpr std::array<std::string_view, 4> kFalseTokenizerKeys = {
    "tokenizer.ggml.add_eos_token", "tokenizer.ggml.add_sep_token",
    "tokenizer.ggml.add_space_prefix",
    "tokenizer.ggml.remove_extra_whitespaces"};

struct NumberType {
  files::ValueType type;
  const char* name;
};
constexpr std::array kNumberTypes = {
    NumberType{files::kUint8, "u8"},    NumberType{files::kInt8, "i8"},
    NumberType{files::kUint16, "u16"},  NumberType{files::kInt16, "i16"},
    NumberType{files::kUint32, "u32"},  NumberType{files::kInt32, "i32"},
    NumberType{files::kUint64, "u64"},  NumberType{files::kInt64, "i64"},
    NumberType{files::kFloat32, "f32"}, NumberType{files::kFloat64, "f64"}};

// Keys of the tokenizer that its reader makes nothing of.
constexpr std::array<std::string_view, 13> kSilentTokenizerKeys = {
    "tokenizer.ggml.add_eos_token",
    "tokenizer.ggml.add_sep_token",
    "tokenizer.ggml.add_space_prefix",
    "tokenizer.ggml.remove_extra_whitespaces",
    "tokenizer.ggml.padding_token_id",
    "tokenizer.ggml.unknown_token_id",
    "tokenizer.ggml.seperator_token_id",
    "tokenizer.ggml.cls_token_id",
    "tokenizer.ggml.mask_token_id",
    "tokenizer.ggml.prefix_token_id",
    "tokenizer.ggml.suffix_token_id",
    "tokenizer.ggml.middle_token_id",
    "tokenizer.chat_templates"};

template <std::size_t kSize>
bool Contains(const std::array<std::string_view, kSize>& keys,
              std::string_view key) {
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

// Whether the key of a model of architecture `prefix` ("llama.") is kept.
bool IsKept(std::string_view key, std::string_view prefix) {
  if (key.starts_with("general.")) return !Contains(kOwnKeys, key);
  if (key.starts_with(prefix)) {
    return !checkpoint::IsConfigKey(key.substr(prefix.size()));
  }
  return key.starts_with("quantize.") ||
         key.starts_with("tokenizer.ggml.fim_") || IsEndTokenKey(key) ||
         Contains(kSilentTokenizerKeys, key);
}

// --- from GGUF ---

// rope.scaling.* in the words of config.json.
json RopeScaling(const GgufFile& file, const std::string& prefix) {
  const std::string* type = file.String(prefix + "rope.scaling.type");
  const double factor = file.Number(prefix + "rope.scaling.factor").value_or(1);
  if (type == nullptr || *type == "none" || factor == 1) return nullptr;
  json scaling = {{"rope_type", *type}, {"factor", factor}};
  const auto original =
      file.Unsigned(prefix + "rope.scaling.original_context_length");
  if (*type == "yarn" && original) {
    scaling["original_max_position_embeddings"] = *original;
  }
  return scaling;
}

// The member `name` of an object, or an empty object.
json Member(const json& object, const char* name) {
  return object.contains(name) && object.at(name).is_object() ? object.at(name)
                                                              : json::object();
}

PackExtras FromGguf(const Checkpoint& source) {
  GgufFile file = files::ReadGguf(source.path);
  const std::string written = *file.String("general.architecture") + ".";
  PackExtras extras;
  extras.rope_scaling = RopeScaling(file, written);
  for (auto& [key, value] : file.metadata) {
    // Of SentencePiece's vocabularies one of the false keys may be true, which
    // the tokenizer's files say.
    if (!IsKept(key, written) ||
        (Contains(kFalseTokenizerKeys, key) && value != GgufValue(false))) {
      continue;
    }
    // Of an architecture with two names pack writes one.
    const std::string name =
        key.starts_with(written)
            ? source.config.architecture + "." + key.substr(written.size())
            : key;
    const auto type = file.number_types.find(key);
    if (type != file.number_types.end()) extras.types[name] = type->second;
    // A value may be large, and is kept once.
    extras.gguf.emplace_back(name, std::move(value));
  }
  if (const std::string* text = file.String(checkpoint::kHuggingFaceKey)) {
    const files::JsonDocument document = files::ParseJsonObject(
        *text, source.path.string() + ": key " + checkpoint::kHuggingFaceKey);
    const json& kept = *document;
    extras.config = Member(kept, "config");
    extras.generation_config = Member(kept, "generation_config");
    extras.tokenizer_config = Member(kept, "tokenizer_config");
    extras.special_tokens_map = Member(kept, "special_tokens_map");
    if (kept.contains("rope_scaling")) {
      extras.rope_scaling = kept.at("rope_scaling");
    }
  }
  return extras;
}

// --- from Hugging Face ---

[[noreturn]] void RefuseKept(const Checkpoint& source, const std::string& key,
                             const std::string& what) {
  throw Error(ErrorCode::kUnsupported,
              source.path.string() +
                  ": config.json: key tern: " + files::Quote(key) + " " + what +
                  "; take config.json as tern pack wrote it");
}

template <class T>
std::vector<T> ArrayOf(const json& value) {
  std::vector<T> values;
  for (const json& element : value) values.push_back(element.get<T>());
  return values;
}

template <class Test>
bool AllOf(const json& value, const Test& test) {
  return std::all_of(value.begin(), value.end(), test);
}

GgufValue ToGguf(const Checkpoint& source, const std::string& key,
                 const json& value) {
  if (value.is_boolean()) return value.get<bool>();
  if (value.is_number_unsigned()) return value.get<std::uint64_t>();
  if (value.is_number_integer()) return value.get<std::int64_t>();
  if (value.is_number_float()) return value.get<double>();
  if (value.is_string()) return value.get<std::string>();
  if (value.is_array()) {
    const auto is = [](auto member) {
      return [member](const json& e) { return (e.*member)(); };
    };
    if (AllOf(value, is(&json::is_string))) return ArrayOf<std::string>(value);
    if (AllOf(value, is(&json::is_boolean))) return ArrayOf<bool>(value);
    if (AllOf(value, is(&json::is_number_unsigned))) {
      return ArrayOf<std::uint64_t>(value);
    }
    if (AllOf(value, is(&json::is_number_integer))) {
      return ArrayOf<std::int64_t>(value);
    }
    if (AllOf(value, is(&json::is_number))) return ArrayOf<double>(value);
  }
  RefuseKept(source, key, "is of no type that GGUF has");
}

json ReadConfigObject(const fs::path& path) {
  return files::IsThere(path) ? *files::ReadJsonObject(path, kMaxConfigBytes)
                              : json::object();
}

json RopeScaling(const json& config) {
  for (const char* name : {"rope_parameters", "rope_scaling"}) {
    if (!config.contains(name) || !config.at(name).is_object()) continue;
    json scaling = config.at(name);
    scaling.erase("rope_theta");
    const char* type = scaling.contains("rope_type") ? "rope_type" : "type";
    if (scaling.contains(type) && scaling.at(type) != "default") return scaling;
  }
  return nullptr;
}

// By its name in kNumberTypes.
files::ValueType TypeNamed(const Checkpoint& source, const std::string& key,
                           const json& name) {
  const auto* found =
      std::find_if(kNumberTypes.begin(), kNumberTypes.end(),
                   [&](const NumberType& known) { return name == known.name; });
  if (found == kNumberTypes.end()) {
    RefuseKept(source, key, "has a type that GGUF has not");
  }
  return found->type;
}

// What ExtrasForConfig has made.
void AddKept(const Checkpoint& source, const json& kept, PackExtras& extras) {
  const json members = Member(kept, checkpoint::kKeptGguf);
  for (const auto& [key, value] : members.items()) {
    if (!IsKept(key, source.config.architecture + ".")) {
      RefuseKept(source, key, "is not a key that tern keeps");
    }
    if (Contains(kFalseTokenizerKeys, key) && value != false) {
      RefuseKept(source, key, "is not false, which tern does not do");
    }
    extras.gguf.emplace_back(key, ToGguf(source, key, value));
  }
  const json types = Member(kept, checkpoint::kKeptTypes);
  for (const auto& [key, name] : types.items()) {
    extras.types[key] = TypeNamed(source, key, name);
  }
}

PackExtras FromHuggingFace(const Checkpoint& source) {
  std::error_code ignored;
  const fs::path directory = fs::is_directory(source.path, ignored)
                                 ? source.path
                                 : source.path.parent_path();
  const json config = ReadConfigObject(directory / "config.json");
  PackExtras extras;
  for (const auto& [key, value] : config.items()) {
    if (!checkpoint::IsModelKey(key) && key != "auto_map" &&
        key != "_name_or_path" && !value.is_null()) {
      extras.config[key] = value;
    }
  }
  extras.generation_config =
      ReadConfigObject(directory / "generation_config.json");
  extras.tokenizer_config =
      ReadConfigObject(directory / "tokenizer_config.json");
  // The tokenizer and its chat templates have words of their own in GGUF.
  extras.tokenizer_config.erase("chat_template");
  extras.tokenizer_config.erase("added_tokens_decoder");
  extras.special_tokens_map =
      ReadConfigObject(directory / "special_tokens_map.json");
  extras.rope_scaling = RopeScaling(config);
  AddKept(source, Member(config, checkpoint::kTernMember), extras);
  return extras;
}

// --- for config.json ---

[[noreturn]] void RefuseForJson(const std::string& key,
                                const std::string& place,
                                const std::string& what) {
  throw Error(ErrorCode::kUnsupported, place + ": key " + files::Quote(key) +
                                           ": " + what +
                                           "; keep the model as GGUF");
}

// Before anything is made of them: a number in JSON takes many times its bytes.
void CheckLength(const std::string& key, const GgufValue& value,
                 const std::string& place) {
  const std::size_t most = files::JsonLimits().array_length;
  std::visit(
      [&](const auto& v) {
        using T = std::decay_t<decltype(v)>;
        if constexpr (!std::is_arithmetic_v<T> &&
                      !std::is_same_v<T, std::string>) {
          if (v.size() <= most) return;
          RefuseForJson(key, place,
                        "is an array of " + std::to_string(v.size()) +
                            " elements, which is too long for config.json");
        }
      },
      value);
}

// What the value would be written as anyway.
bool IsDefault(files::ValueType type, const GgufValue& value) {
  using Unsigned = std::vector<std::uint64_t>;
  using Floats = std::vector<double>;
  return (type == files::kUint32 &&
          (std::holds_alternative<std::uint64_t>(value) ||
           std::holds_alternative<Unsigned>(value))) ||
         (type == files::kFloat32 && (std::holds_alternative<double>(value) ||
                                      std::holds_alternative<Floats>(value)));
}

json KeptMember(const std::string& key, const GgufValue& value,
                const std::string& place) {
  CheckLength(key, value, place);
  json member = std::visit([](const auto& v) { return json(v); }, value);
  try {
    (void)member.dump();
  } catch (const json::exception&) {
    RefuseForJson(key, place, "is no UTF-8, which JSON cannot hold");
  }
  const auto is_infinite = [](const json& v) {
    return v.is_number_float() && !std::isfinite(v.get<double>());
  };
  if (is_infinite(member) ||
      (member.is_array() &&
       std::any_of(member.begin(), member.end(), is_infinite))) {
    RefuseForJson(key, place, "is not finite, which JSON cannot hold");
  }
  return member;
}

}  // namespace

PackExtras ReadExtras(const Checkpoint& source) {
  std::error_code ignored;
  return !fs::is_directory(source.path, ignored) && files::IsGguf(source.path)
             ? FromGguf(source)
             : FromHuggingFace(source);
}

std::string ExtrasForGguf(const PackExtras& extras) {
  json kept = json::object();
  if (!extras.config.empty()) kept["config"] = extras.config;
  if (!extras.generation_config.empty()) {
    kept["generation_config"] = extras.generation_config;
  }
  if (!extras.tokenizer_config.empty()) {
    kept["tokenizer_config"] = extras.tokenizer_config;
  }
  if (!extras.special_tokens_map.empty()) {
    kept["special_tokens_map"] = extras.special_tokens_map;
  }
  if (!extras.rope_scaling.is_null()) {
    kept["rope_scaling"] = extras.rope_scaling;
  }
  return kept.empty() ? "" : kept.dump();
}

json ExtrasForConfig(const PackExtras& extras, const std::string& place) {
  if (extras.gguf.empty()) return nullptr;
  json members = json::object();
  json types = json::object();
  for (const auto& [key, value] : extras.gguf) {
    members[key] = KeptMember(key, value, place);
    const auto type = extras.types.find(key);
    if (type == extras.types.end() || IsDefault(type->second, value)) continue;
    types[key] = std::find_if(kNumberTypes.begin(), kNumberTypes.end(),
                              [&](const NumberType& known) {
                                return known.type == type->second;
                              })
                     ->name;
  }
  json kept = {{checkpoint::kKeptGguf, members}};
  if (!types.empty()) kept[checkpoint::kKeptTypes] = types;
  return kept;
}

bool IsEndTokenKey(std::string_view key) {
  return key == "tokenizer.ggml.eos_token_id" ||
         key == "tokenizer.ggml.eot_token_id" ||
         key == "tokenizer.ggml.eom_token_id";
}

}  // namespace tern
