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

// Keys of the tokenizer that its reader makes nothing of.
constexpr std::array<std::string_view, 9> kSilentTokenizerKeys = {
    "tokenizer.ggml.padding_token_id",   "tokenizer.ggml.unknown_token_id",
    "tokenizer.ggml.seperator_token_id", "tokenizer.ggml.cls_token_id",
    "tokenizer.ggml.mask_token_id",      "tokenizer.ggml.prefix_token_id",
    "tokenizer.ggml.suffix_token_id",    "tokenizer.ggml.middle_token_id",
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
         key.starts_with("tokenizer.ggml.fim_") ||
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
  const GgufFile file = files::ReadGguf(source.path);
  const std::string written = *file.String("general.architecture") + ".";
  PackExtras extras;
  extras.rope_scaling = RopeScaling(file, written);
  for (const auto& [key, value] : file.metadata) {
    if (!IsKept(key, written)) continue;
    // Of an architecture with two names pack writes one.
    const bool renamed = key.starts_with(written);
    extras.gguf.emplace_back(
        renamed ? source.config.architecture + "." + key.substr(written.size())
                : key,
        value);
  }
  if (const std::string* text = file.String(checkpoint::kHuggingFaceKey)) {
    const files::JsonDocument document = files::ParseJsonObject(
        *text, source.path.string() + ": key " + checkpoint::kHuggingFaceKey);
    const json& kept = *document;
    extras.config = Member(kept, "config");
    extras.generation_config = Member(kept, "generation_config");
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
  extras.rope_scaling = RopeScaling(config);
  const json kept =
      Member(Member(config, checkpoint::kTernMember), checkpoint::kKeptGguf);
  for (const auto& [key, value] : kept.items()) {
    if (!IsKept(key, source.config.architecture + ".")) {
      RefuseKept(source, key, "is not a key that tern keeps");
    }
    extras.gguf.emplace_back(key, ToGguf(source, key, value));
  }
  return extras;
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
  if (!extras.rope_scaling.is_null()) {
    kept["rope_scaling"] = extras.rope_scaling;
  }
  return kept.empty() ? "" : kept.dump();
}

json ExtrasForConfig(const files::GgufMetadata& metadata,
                     const std::string& place) {
  json object = json::object();
  for (const auto& [key, value] : metadata) {
    const json member =
        std::visit([](const auto& v) { return json(v); }, value);
    try {
      (void)member.dump();
    } catch (const json::exception&) {
      throw Error(ErrorCode::kUnsupported,
                  place + ": key " + files::Quote(key) +
                      ": is no UTF-8, which JSON cannot hold; keep the model "
                      "as GGUF");
    }
    const auto is_infinite = [](const json& v) {
      return v.is_number_float() && !std::isfinite(v.get<double>());
    };
    if (is_infinite(member) ||
        (member.is_array() &&
         std::any_of(member.begin(), member.end(), is_infinite))) {
      throw Error(ErrorCode::kUnsupported,
                  place + ": key " + files::Quote(key) +
                      ": is not finite, which JSON cannot hold; keep the model "
                      "as GGUF");
    }
    object[key] = member;
  }
  return object;
}

}  // namespace tern
