// What the container says: format, metadata, tensors.
#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <system_error>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

#include "runtime/files/input_file.h"
#include "runtime/files/json.h"
#include "runtime/inspect/inspection.h"

namespace tern::inspect {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kShownElements = 6;  // of an array
constexpr std::uint64_t kMaxConfigBytes = std::uint64_t{16} << 20;

std::string Text(const std::string& value) { return value; }
std::string Text(bool value) { return value ? "true" : "false"; }
std::string Text(std::int64_t value) { return std::to_string(value); }
std::string Text(std::uint64_t value) { return std::to_string(value); }
std::string Text(double value) {
  std::string text(32, '\0');
  // GGUF has float32 as a rule: show 1e-05, not its 17 digits as a double.
  const auto narrow = static_cast<float>(value);
  char* end = text.data() + text.size();
  end = static_cast<double>(narrow) == value
            ? std::to_chars(text.data(), end, narrow).ptr
            : std::to_chars(text.data(), end, value).ptr;
  text.resize(static_cast<std::size_t>(end - text.data()));
  return text;
}
// What an element of 8 or 16 bits is shown as.
template <typename T>
using Wide = std::conditional_t<
    (std::is_integral_v<T> && sizeof(T) < 4 && !std::is_same_v<T, bool>),
    std::conditional_t<std::is_signed_v<T>, std::int64_t, std::uint64_t>, T>;
template <typename T>
std::string Text(const std::vector<T>& values) {
  std::string text = "[";
  for (std::size_t i = 0; i < std::min(values.size(), kShownElements); ++i) {
    text += (i == 0 ? "" : ", ") + Text(Wide<T>(values[i]));
  }
  if (values.size() <= kShownElements) return text + "]";
  return text + ", ...] (" + std::to_string(values.size()) + ")";
}

std::string Text(const nlohmann::json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_array() || value.size() <= kShownElements) return value.dump();
  const nlohmann::json shown(std::vector<nlohmann::json>(
      value.begin(), value.begin() + kShownElements));
  std::string text = shown.dump();
  text.pop_back();
  return text + ",...] (" + std::to_string(value.size()) + ")";
}

void ListTensors(const Container& container, Inspection& inspection) {
  ModelReport& report = inspection.report;
  for (const auto& [name, tensor] : container.tensors) {
    TensorReport entry;
    entry.name = name;
    entry.type = tensor.type_name;
    entry.shape = tensor.shape;
    entry.bytes = tensor.bytes;
    entry.file = tensor.file->path().filename().string();
    entry.offset = tensor.offset;
    if (container.gguf) {
      entry.verdict = LayoutVerdict(*container.gguf, tensor);
    } else if (tensor.has_fault) {
      entry.verdict = "its entry in the header is unsound";
    }
    report.tensors.push_back(std::move(entry));
  }
  std::sort(report.tensors.begin(), report.tensors.end(),
            [](const TensorReport& a, const TensorReport& b) {
              return std::tie(a.file, a.offset) < std::tie(b.file, b.offset);
            });
  for (std::size_t i = 0; i < report.tensors.size(); ++i) {
    inspection.at.emplace(report.tensors[i].name, i);
  }
}

void ReadGguf(const fs::path& path, Container& container,
              Inspection& inspection) {
  ModelReport& report = inspection.report;
  container.gguf = files::ReadGguf(path, inspection.faults.Sink());
  report.format = "GGUF";
  if (container.gguf->version != 0) {
    report.format += " v" + std::to_string(container.gguf->version);
  }
  for (const auto& [key, value] : container.gguf->metadata) {
    report.metadata.emplace_back(
        key, std::visit([](const auto& v) { return Text(v); }, value));
  }
  container.tensors = container.gguf->tensors;
}

// The members of an object, those of inner objects as "outer.inner".
void ListMembers(const nlohmann::json& object, ModelReport& report) {
  for (const auto& [key, value] : object.items()) {
    if (!value.is_object()) {
      report.metadata.emplace_back(key, Text(value));
      continue;
    }
    for (const auto& [inner, inner_value] : value.items()) {
      report.metadata.emplace_back(std::string(key).append(".").append(inner),
                                   Text(inner_value));
    }
  }
}

void ReadHuggingFace(const fs::path& path, bool is_directory,
                     Container& container, Inspection& inspection) {
  const files::OnFault tell = inspection.faults.Sink();
  inspection.report.format = is_directory ? "Hugging Face" : "safetensors";
  const fs::path config =
      (is_directory ? path : path.parent_path()) / "config.json";
  if (files::IsThere(config)) {
    files::Reporting(tell, [&] {
      ListMembers(*files::ReadJsonObject(config, kMaxConfigBytes),
                  inspection.report);
    });
  }
  try {
    container.tensors = is_directory
                            ? files::ReadSafetensorsDirectory(path, tell)
                            : files::ReadSafetensors(path, tell);
  } catch (const Error& error) {
    // A directory in which there is nothing of a model.
    if (is_directory && inspection.report.metadata.empty()) throw;
    tell(error);
  }
}

}  // namespace

Container ReadContainer(const fs::path& path, Inspection& inspection) {
  std::error_code ignored;
  const bool is_directory = fs::is_directory(path, ignored);
  const bool is_gguf = !is_directory && files::IsGguf(path);
  if (!is_directory && !is_gguf && path.extension() != ".safetensors") {
    throw Error(ErrorCode::kUnsupported,
                path.string() +
                    ": neither a GGUF nor a .safetensors file; give one of "
                    "these or a directory with config.json and "
                    "model.safetensors");
  }
  Container container;
  if (is_gguf) {
    ReadGguf(path, container, inspection);
  } else {
    ReadHuggingFace(path, is_directory, container, inspection);
  }
  ListTensors(container, inspection);
  return container;
}

}  // namespace tern::inspect
