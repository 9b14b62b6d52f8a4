// A report on a file, in three layers that fail one by one: what the container
// says (tensors, metadata), what the model is (checkpoint::Open), what is in
// its weights.  A failure becomes a line in `problems` and the rest goes on.
#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <span>
#include <system_error>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

#include <tern/chat.h>
#include <tern/cpu.h>
#include <tern/error.h>
#include <tern/inspect.h>
#include <tern/tokenizer.h>

#include "packing/ternary_matrix.h"
#include "packing/tiles.h"
#include "runtime/checkpoint/checkpoint.h"
#include "runtime/checkpoint/tensor_table.h"
#include "runtime/files/gguf.h"
#include "runtime/files/input_file.h"
#include "runtime/files/json.h"
#include "runtime/files/safetensors.h"
#include "runtime/load_weights.h"
#include "runtime/memory.h"
#include "runtime/out_of_memory.h"

namespace tern {
namespace {

namespace fs = std::filesystem;
using checkpoint::Checkpoint;
using checkpoint::LayerSource;
using checkpoint::LinearKind;
using checkpoint::LinearSource;
using files::StoredTensor;

constexpr std::size_t kShownElements = 6;  // of an array
constexpr const char* kMemoryAdvice = "free some memory";
constexpr std::uint64_t kMaxConfigBytes = std::uint64_t{16} << 20;

// The report while it is written, with indexes: a file may have a hundred
// thousand tensors and as many problems.
struct Inspection {
  ModelReport report;
  std::map<std::string, std::size_t> tensors;  // places in report.tensors
  std::set<std::string> problems;              // those of the report
};

void AddProblem(Inspection& inspection, const Error& error) {
  const std::string problem = error.what();
  // The container and Open stumble over the same thing.
  if (inspection.problems.insert(problem).second) {
    inspection.report.problems.push_back(problem);
  }
}

// --- what the container says ---

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
template <typename T>
std::string Text(const std::vector<T>& values) {
  std::string text = "[";
  for (std::size_t i = 0; i < std::min(values.size(), kShownElements); ++i) {
    text += (i == 0 ? "" : ", ") + Text(static_cast<T>(values[i]));
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

void ListTensors(const files::TensorMap& tensors, Inspection& inspection) {
  ModelReport& report = inspection.report;
  for (const auto& [name, tensor] : tensors) {
    TensorReport entry;
    entry.name = name;
    entry.type = tensor.type_name;
    entry.shape = tensor.shape;
    entry.bytes = tensor.bytes;
    entry.file = tensor.file->path().filename().string();
    entry.offset = tensor.offset;
    report.tensors.push_back(std::move(entry));
  }
  std::sort(report.tensors.begin(), report.tensors.end(),
            [](const TensorReport& a, const TensorReport& b) {
              return std::tie(a.file, a.offset) < std::tie(b.file, b.offset);
            });
  for (std::size_t i = 0; i < report.tensors.size(); ++i) {
    inspection.tensors.emplace(report.tensors[i].name, i);
  }
}

files::TensorMap ReadGguf(const fs::path& path, ModelReport& report) {
  report.format = "GGUF";
  files::GgufFile file = files::ReadGguf(path);
  report.format = "GGUF v" + std::to_string(file.version);
  for (const auto& [key, value] : file.metadata) {
    report.metadata.emplace_back(
        key, std::visit([](const auto& v) { return Text(v); }, value));
  }
  return std::move(file.tensors);
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

files::TensorMap ReadHuggingFace(const fs::path& path, bool is_directory,
                                 Inspection& inspection) {
  inspection.report.format = is_directory ? "Hugging Face" : "safetensors";
  const fs::path config =
      (is_directory ? path : path.parent_path()) / "config.json";
  if (files::IsThere(config)) {
    try {
      ListMembers(files::ReadJsonObject(config, kMaxConfigBytes),
                  inspection.report);
    } catch (const Error& error) {
      AddProblem(inspection, error);
    }
  }
  return is_directory ? files::ReadSafetensorsDirectory(path)
                      : files::ReadSafetensors(path);
}

files::TensorMap ReadContainer(const fs::path& path, Inspection& inspection) {
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
  try {
    files::TensorMap tensors =
        is_gguf ? ReadGguf(path, inspection.report)
                : ReadHuggingFace(path, is_directory, inspection);
    ListTensors(tensors, inspection);
    return tensors;
  } catch (const Error& error) {
    // A directory in which there is nothing of a model.
    if (is_directory && inspection.report.metadata.empty()) throw;
    AddProblem(inspection, error);
    return {};
  }
}

// --- what is in the weights ---

struct LinearContents {
  std::uint64_t scale_count = 1;
  TensorReport shares;  // its ternary members only
};

// Counts codes eight bytes at a time: code 2 alone has the high bit of its
// slot, code 1 alone the low one, and ReadLinear lets no code 3 through.
void CountCodes(const packing::TernaryMatrix& matrix, TensorReport& report) {
  std::uint64_t plus = 0;
  std::uint64_t zero = 0;
  const std::span<const std::uint8_t> codes = matrix.codes;
  for (std::size_t i = 0; i < codes.size(); i += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, codes.data() + i,
                std::min<std::size_t>(8, codes.size() - i));
    plus +=
        static_cast<std::uint64_t>(std::popcount(word & 0xaaaaaaaaaaaaaaaaU));
    zero +=
        static_cast<std::uint64_t>(std::popcount(word & 0x5555555555555555U));
  }
  zero -= matrix.rows * (4 * packing::TernaryMatrix::RowBytes(matrix.cols) -
                         matrix.cols);  // slots beyond the last column
  const auto total = static_cast<double>(matrix.rows * matrix.cols);
  report.share_plus = static_cast<double>(plus) / total;
  report.share_zero = static_cast<double>(zero) / total;
  report.share_minus = 1 - (static_cast<double>(plus + zero) / total);
}

// Groups of nothing but zeros have scale 0, which says nothing of the others.
void FindScales(std::span<const float> scales, TensorReport& report) {
  for (const float scale : scales) {
    if (scale == 0) continue;
    report.scale_min =
        report.scale_min == 0 ? scale : std::min(report.scale_min, scale);
    report.scale_max = std::max(report.scale_max, scale);
  }
}

LinearContents ReadContents(const LinearSource& source) {
  RequireMemory(checkpoint::ReadLinearBytes(source), source.weight.Place(),
                kMemoryAdvice);
  const packing::TernaryMatrix matrix = checkpoint::ReadLinear(source);
  LinearContents contents;
  contents.scale_count = matrix.scales.size();
  contents.shares.is_ternary = true;
  CountCodes(matrix, contents.shares);
  FindScales(matrix.scales, contents.shares);
  return contents;
}

void Fill(const std::string& name, const TensorReport& shares,
          Inspection& inspection) {
  const auto found = inspection.tensors.find(name);
  if (found == inspection.tensors.end()) return;
  TensorReport& entry = inspection.report.tensors[found->second];
  entry.is_ternary = true;
  entry.scale_min = shares.scale_min;
  entry.scale_max = shares.scale_max;
  entry.share_minus = shares.share_minus;
  entry.share_zero = shares.share_zero;
  entry.share_plus = shares.share_plus;
}

// Reads the codes of a ternary layer; returns the number of its scales.
std::uint64_t InspectTernary(const LinearSource& source,
                             Inspection& inspection) {
  try {
    const LinearContents contents = ReadContents(source);
    Fill(source.weight.name, contents.shares, inspection);
    return contents.scale_count;
  } catch (const Error& error) {
    AddProblem(inspection, error);
    return 1;
  }
}

// Reads floats for what ReadFloats refuses: values that are not finite.
void InspectFloats(const StoredTensor& tensor, Inspection& inspection) {
  constexpr std::uint64_t kPiece = std::uint64_t{1} << 20;
  const std::uint64_t cols = tensor.shape.back();
  const std::uint64_t rows = tensor.ElementCount() / cols;
  const std::uint64_t at_once = std::max<std::uint64_t>(1, kPiece / cols);
  try {
    RequireMemory(2 * sizeof(float) * at_once * cols, tensor.Place(),
                  kMemoryAdvice);
    std::vector<float> values(at_once * cols);
    for (std::uint64_t row = 0; row < rows; row += at_once) {
      files::ReadFloats(tensor, row, std::min(row + at_once, rows),
                        values.data());
    }
  } catch (const Error& error) {
    AddProblem(inspection, error);
  }
}

// --- the model ---

void InspectNorm(const StoredTensor& norm, MemoryReport& memory,
                 Inspection& inspection) {
  InspectFloats(norm, inspection);
  memory.norm_bytes += norm.ElementCount() * sizeof(float);
}

// Adds what it will take in memory to `ternary` or `dense`.
void InspectLinear(const LinearSource& linear, std::uint64_t& ternary,
                   std::uint64_t& dense, Inspection& inspection) {
  if (linear.kind == LinearKind::kDense) {
    InspectFloats(linear.weight, inspection);
    dense += DenseBytes(linear);
  } else {
    ternary += packing::TilesBytes(linear.rows, linear.cols) +
               InspectTernary(linear, inspection) * sizeof(float);
  }
}

void InspectLayer(const LayerSource& layer, MemoryReport& memory,
                  Inspection& inspection) {
  InspectNorm(layer.attn_norm, memory, inspection);
  InspectNorm(layer.ffn_norm, memory, inspection);
  for (const auto* norm : {&layer.q_norm, &layer.k_norm, &layer.attn_sub_norm,
                           &layer.ffn_sub_norm}) {
    if (*norm) InspectNorm(**norm, memory, inspection);
  }
  for (const LinearSource* linear : {&layer.q, &layer.k, &layer.v, &layer.o,
                                     &layer.gate, &layer.up, &layer.down}) {
    InspectLinear(*linear, memory.ternary_bytes, memory.dense_bytes,
                  inspection);
    if (linear->input_norm) {
      InspectNorm(*linear->input_norm, memory, inspection);
    }
  }
}

void InspectModel(const Checkpoint& model, const InspectOptions& options,
                  Inspection& inspection) {
  MemoryReport memory;
  memory.context_length = options.context_length != 0
                              ? options.context_length
                              : model.config.max_context;
  InspectLinear(model.embedding, memory.embedding_bytes, memory.embedding_bytes,
                inspection);
  if (model.head) {
    InspectLinear(*model.head, memory.embedding_bytes, memory.embedding_bytes,
                  inspection);
  }
  InspectNorm(model.output_norm, memory, inspection);
  for (const LayerSource& layer : model.layers) {
    InspectLayer(layer, memory, inspection);
  }
  memory.cache_bytes =
      CacheBytes(model.config, memory.context_length, options.kv_type);
  memory.scratch_bytes =
      SessionScratchBytes(model.config, memory.context_length, UsableCores());
  inspection.report.format = model.format;
  inspection.report.config = model.config;
  inspection.report.memory = memory;
}

// Of a file that cannot be run, the tensors that say by themselves what they
// are.
void InspectLooseTensors(const files::TensorMap& tensors,
                         Inspection& inspection) {
  for (const auto& [name, tensor] : tensors) {
    if (!checkpoint::IsTernary(tensor.type) || tensor.shape.size() != 2) {
      continue;
    }
    LinearSource source;
    source.kind = LinearKind::kTernary;
    source.rows = tensor.shape[0];
    source.cols = tensor.shape[1];
    source.weight = tensor;
    InspectTernary(source, inspection);
  }
}

void InspectTokenizer(const fs::path& path, Inspection& inspection) {
  try {
    const Tokenizer tokenizer = Tokenizer::Load(path);
    inspection.report.tokenizer = tokenizer.description();
    if (inspection.report.config &&
        tokenizer.vocab_size() > inspection.report.config->vocab_size) {
      throw Error(ErrorCode::kMalformed,
                  path.string() + ": the tokenizer has " +
                      std::to_string(tokenizer.vocab_size()) +
                      " tokens, the model only " +
                      std::to_string(inspection.report.config->vocab_size) +
                      "; they do not belong together");
    }
  } catch (const Error& error) {
    inspection.report.tokenizer = error.what();
    // A model without a tokenizer can be run on token ids.
    if (error.code() != ErrorCode::kNotFound) AddProblem(inspection, error);
  }
}

ModelReport InspectFile(const fs::path& path, const InspectOptions& options) {
  Inspection inspection;
  const files::TensorMap tensors = ReadContainer(path, inspection);
  try {
    InspectModel(checkpoint::Open(path, {.input_type = options.input_type,
                                         .i2s_layout = options.i2s_layout}),
                 options, inspection);
  } catch (const Error& error) {
    AddProblem(inspection, error);
    InspectLooseTensors(tensors, inspection);
  }
  InspectTokenizer(path, inspection);
  inspection.report.chat_template = DescribeChatTemplate(path);
  return std::move(inspection.report);
}

}  // namespace

ModelReport Inspect(const fs::path& path, const InspectOptions& options) {
  return NamingOutOfMemory(path, [&] { return InspectFile(path, options); });
}

}  // namespace tern
