// Three layers, each as far as it goes, as in inspect.cc: the container with
// its checksums, the model, the values of every tensor.  A model's matrices are
// loaded and dropped, so that what is sound here can be loaded.
#include <algorithm>
#include <charconv>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <unordered_map>
#include <utility>
#include <vector>

#include <tern/cpu.h>
#include <tern/error.h>
#include <tern/verify.h>

#include "runtime/check_checksums.h"
#include "runtime/checkpoint/checkpoint.h"
#include "runtime/checkpoint/find_unpacked.h"
#include "runtime/checkpoint/tensor_table.h"
#include "runtime/files/gguf.h"
#include "runtime/files/input_file.h"
#include "runtime/files/on_fault.h"
#include "runtime/files/quote.h"
#include "runtime/files/safetensors.h"
#include "runtime/files/t2_file.h"
#include "runtime/load_tokenizer.h"
#include "runtime/load_weights.h"
#include "runtime/memory.h"
#include "runtime/out_of_memory.h"
#include "runtime/parallel.h"

namespace tern {
namespace {

namespace fs = std::filesystem;
using checkpoint::Checkpoint;
using checkpoint::LayerSource;
using checkpoint::LinearKind;
using checkpoint::LinearSource;
using files::StoredTensor;
using files::StoredType;

class Verification {
 public:
  Verification(const fs::path& path, const VerifyOptions& options)
      : path_(path),
        options_(options),
        team_(options.num_threads > 0 ? options.num_threads : UsableCores()) {}

  VerifyReport Run();

 private:
  files::TensorMap ReadContainer();
  files::TensorMap ReadGguf();
  files::TensorMap ReadDirectory();
  void CheckChecksums(const files::GgufFile& file);
  void AddModel(const Checkpoint& model);
  void AddLinear(const LinearSource& linear);
  void AddNorm(const StoredTensor& norm);
  void AddLoose(const files::TensorMap& tensors);
  void CheckTokenizer(const std::optional<std::size_t>& vocab_size);
  void RunAll(std::size_t count, const std::function<void(std::size_t)>& work,
              double from, double to);

  fs::path path_;
  const VerifyOptions& options_;
  Team team_;
  files::FaultList faults_;
  std::set<std::string> covered_;  // names of the tensors that jobs read
  std::vector<std::function<void()>> jobs_;
  double progress_ = 0;  // that checksums have made
  VerifyReport report_;
};

// Of all calls of work(i) the Errors that they throw, in their order; progress
// goes on between the two fractions.
void Verification::RunAll(std::size_t count,
                          const std::function<void(std::size_t)>& work,
                          double from, double to) {
  std::function<void(double)> progress;
  if (options_.progress) {
    progress = [&](double fraction) {
      options_.progress(from + (to - from) * fraction);
    };
  }
  for (const auto& error : CollectErrors(team_, count, work, progress)) {
    if (error) faults_.Add(*error);
  }
}

// --- the container ---

void Verification::CheckChecksums(const files::GgufFile& file) {
  const files::T2Checksums checksums(file);
  report_.checksums = checksums.size();
  progress_ = 0.5;
  // First of all whether they are themselves what was written.
  files::Reporting(faults_.Sink(),
                   [&] { checksums.Check(checksums.size() - 1); });
  RunAll(
      checksums.size(), [&](std::size_t i) { checksums.Check(i); }, 0,
      progress_);
}

files::TensorMap Verification::ReadGguf() {
  files::GgufFile file = files::ReadGguf(path_, faults_.Sink());
  report_.format = "GGUF";
  if (file.version != 0) report_.format += " v" + std::to_string(file.version);
  // Where a tensor is not in its place, nobody knows which checksum is whose.
  report_.records_checksums = files::IsT2(file);
  if (report_.records_checksums && faults_.faults().empty()) {
    files::Reporting(faults_.Sink(), [&] { CheckChecksums(file); });
  }
  return std::move(file.tensors);
}

// If the index of the shards cannot be read, each of them by itself.
files::TensorMap Verification::ReadDirectory() {
  const files::OnFault tell = faults_.Sink();
  files::TensorMap all;
  if (files::Reporting(
          tell, [&] { all = files::ReadSafetensorsDirectory(path_, tell); })) {
    return all;
  }
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(path_, ignored)) {
    if (entry.path().extension() != ".safetensors") continue;
    files::Reporting(
        tell, [&] { all.merge(files::ReadSafetensors(entry.path(), tell)); });
  }
  return all;
}

files::TensorMap Verification::ReadContainer() {
  std::error_code ignored;
  if (fs::is_directory(path_, ignored)) {
    report_.format = "Hugging Face";
    return ReadDirectory();
  }
  if (files::IsGguf(path_)) return ReadGguf();
  if (path_.extension() != ".safetensors") {
    throw Error(ErrorCode::kUnsupported,
                path_.string() +
                    ": neither a GGUF nor a .safetensors file; give one of "
                    "these or a directory with config.json and "
                    "model.safetensors");
  }
  report_.format = "safetensors";
  files::TensorMap tensors;
  files::Reporting(faults_.Sink(), [&] {
    tensors = files::ReadSafetensors(path_, faults_.Sink());
  });
  return tensors;
}

// --- the values ---

// Of what could not be bound there is no file, and the fault is told already.
void Verification::AddLinear(const LinearSource& linear) {
  if (linear.input_norm) AddNorm(*linear.input_norm);
  if (linear.weight.file == nullptr) return;
  covered_.insert(linear.weight.name);
  for (const auto* more : {&linear.scale, &linear.multipliers}) {
    if (*more) covered_.insert((*more)->name);
  }
  jobs_.emplace_back([linear] {
    LinearSource alone = linear;
    alone.input_norm.reset();
    CheckLinear(alone);
  });
}

void Verification::AddNorm(const StoredTensor& norm) {
  if (norm.file == nullptr) return;
  covered_.insert(norm.name);
  jobs_.emplace_back([norm] { CheckNorm(norm); });
}

void Verification::AddModel(const Checkpoint& model) {
  AddLinear(model.embedding);
  if (model.head) AddLinear(*model.head);
  AddNorm(model.output_norm);
  for (const LayerSource& layer : model.layers) {
    AddNorm(layer.attn_norm);
    AddNorm(layer.ffn_norm);
    for (const auto* norm : {&layer.q_norm, &layer.k_norm, &layer.attn_sub_norm,
                             &layer.ffn_sub_norm}) {
      if (*norm) AddNorm(**norm);
    }
  }
  checkpoint::ForEachLinear(
      model, [&](const LinearSource& linear) { AddLinear(linear); });
}

// Reads floats for what ReadFloats refuses: values that are not finite.
void CheckFloats(const StoredTensor& tensor) {
  constexpr std::uint64_t kPiece = std::uint64_t{1} << 18;
  const std::uint64_t elements = tensor.ElementCount();
  if (elements == 0) return;  // which safetensors may hold
  const std::uint64_t cols = tensor.shape.empty() ? 1 : tensor.shape.back();
  const std::uint64_t rows = elements / cols;
  const std::uint64_t at_once = std::max<std::uint64_t>(1, kPiece / cols);
  std::vector<float> values(std::min(at_once, rows) * cols);
  for (std::uint64_t row = 0; row < rows; row += at_once) {
    files::ReadFloats(tensor, row, std::min(row + at_once, rows),
                      values.data());
  }
}

bool IsFloat(StoredType type) {
  return checkpoint::IsPlainFloat(type) || type == StoredType::kQ8_0 ||
         type == StoredType::kQ4_0 || type == StoredType::kQ6K;
}

// Tensors that no model has that could be read, as far as each tells by itself
// what it is.
void Verification::AddLoose(const files::TensorMap& tensors) {
  checkpoint::TensorTable table(path_, tensors);
  for (const auto& [name, tensor] : tensors) {
    if (covered_.contains(name)) continue;
    if (IsFloat(tensor.type)) {
      jobs_.emplace_back([tensor = tensor] { CheckFloats(tensor); });
    }
    if (!checkpoint::IsTernary(tensor.type) || tensor.shape.size() != 2) {
      continue;
    }
    LinearSource source;
    source.kind = LinearKind::kTernary;
    source.rows = tensor.shape[0];
    source.cols = tensor.shape[1];
    source.weight = tensor;
    source.i2s_layout = options_.i2s_layout;
    if (!files::Reporting(faults_.Sink(),
                          [&] { table.TakeMultipliers(source); })) {
      continue;
    }
    jobs_.emplace_back([source = std::move(source)] {
      RequireMemory(checkpoint::ReadLinearBytes(source), source.weight.Place(),
                    "free some memory");
      (void)checkpoint::ReadLinear(source);
    });
  }
}

// A model without a tokenizer can be run on token ids; half of one is a fault.
void Verification::CheckTokenizer(
    const std::optional<std::size_t>& vocab_size) {
  files::Reporting(faults_.Sink(), [&] {
    try {
      (void)LoadTokenizer(path_, vocab_size);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kNotFound || HasTokenizer(path_)) throw;
    }
  });
}

// --- the report ---

// Takes ": byte 12" off the front of a message that goes on there.
std::optional<std::uint64_t> TakeByte(std::string_view& rest) {
  constexpr std::string_view kByte = ": byte ";
  if (!rest.starts_with(kByte)) return std::nullopt;
  std::uint64_t byte = 0;
  const char* begin = rest.data() + kByte.size();
  const auto end = std::from_chars(begin, rest.data() + rest.size(), byte);
  if (end.ec != std::errc() || end.ptr == rest.data() + rest.size() ||
      *end.ptr != ':') {
    return std::nullopt;
  }
  rest.remove_prefix(static_cast<std::size_t>(end.ptr - rest.data()));
  return byte;
}

// The file that a message begins with, if none of a tensor: config.json, say.
std::string FileOf(const std::string& what, const fs::path& model) {
  std::error_code ignored;
  const fs::path folder =
      fs::is_directory(model, ignored) ? model : model.parent_path();
  if (what.starts_with(model.string() + ":") ||
      !what.starts_with((folder / "").string())) {
    return model.string();
  }
  return what.substr(0, what.find(": ", (folder / "").string().size()));
}

// Tensors by the places that messages begin with: FILE, and then QUOTED NAME.
// Made once, for a file may have as many faults as tensors.
class Places {
 public:
  explicit Places(const files::TensorMap& tensors) {
    for (const auto& [name, tensor] : tensors) {
      by_file_[tensor.file->path().string()].emplace(files::Quote(name),
                                                     &tensor);
    }
  }

  // Every message begins with its place, `FILE[: byte N][: tensor 'NAME']: `.
  [[nodiscard]] VerifyFault Describe(const Error& error,
                                     const fs::path& model) const;

 private:
  using ByName = std::unordered_map<std::string, const StoredTensor*>;

  // What `prefixes` has for the shortest beginning of `text` that ends at
  // `end`, and takes it off; null if it has none.
  template <class Map>
  static const typename Map::mapped_type* TakeKnown(const Map& prefixes,
                                                    std::string_view end,
                                                    std::string_view& text) {
    for (std::size_t at = text.find(end); at != std::string_view::npos;
         at = text.find(end, at + 1)) {
      const auto found = prefixes.find(std::string(text.substr(0, at)));
      if (found == prefixes.end()) continue;
      text.remove_prefix(at);
      return &found->second;
    }
    return nullptr;
  }

  std::unordered_map<std::string, ByName> by_file_;
};

VerifyFault Places::Describe(const Error& error, const fs::path& model) const {
  VerifyFault fault = {
      .file = "", .tensor = "", .offset = error.offset(), .what = error.what()};
  std::string_view rest = fault.what;
  const ByName* tensors = TakeKnown(by_file_, ":", rest);
  if (tensors == nullptr) {
    fault.file = FileOf(fault.what, model);
    return fault;
  }
  fault.file = fault.what.substr(0, fault.what.size() - rest.size());
  const std::optional<std::uint64_t> byte = TakeByte(rest);
  if (!fault.offset) fault.offset = byte;
  constexpr std::string_view kTensor = ": tensor ";
  if (!rest.starts_with(kTensor)) return fault;
  rest.remove_prefix(kTensor.size());
  const auto* found = TakeKnown(*tensors, ":", rest);
  if (found == nullptr) return fault;
  const StoredTensor& tensor = **found;
  fault.tensor = tensor.name;
  const bool is_inside =
      tensor.offset != 0 && tensor.offset < tensor.file->size();
  if (!fault.offset && is_inside) fault.offset = tensor.offset;
  return fault;
}

VerifyReport Verification::Run() {
  const files::TensorMap tensors = ReadContainer();
  report_.tensors = tensors.size();
  for (const auto& [name, tensor] : tensors) report_.bytes += tensor.bytes;
  std::optional<std::size_t> vocab_size;
  files::Reporting(faults_.Sink(), [&] {
    const Checkpoint model = checkpoint::Open(
        path_, {.input_type = std::nullopt, .i2s_layout = options_.i2s_layout},
        faults_.Sink());
    report_.format = model.format;
    vocab_size = model.config.vocab_size;
    AddModel(model);
  });
  AddLoose(tensors);
  RunAll(
      jobs_.size(), [&](std::size_t i) { jobs_[i](); }, progress_, 1);
  CheckTokenizer(vocab_size);
  const Places places(tensors);
  for (const Error& error : faults_.faults()) {
    report_.faults.push_back(places.Describe(error, path_));
  }
  return std::move(report_);
}

}  // namespace

VerifyReport Verify(const fs::path& path, const VerifyOptions& options) {
  return NamingOutOfMemory(path,
                           [&] { return Verification(path, options).Run(); });
}

}  // namespace tern
