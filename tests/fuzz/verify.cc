// What `tern inspect` and `tern verify` tell of files: a GGUF file, a
// directory in Hugging Face layout (an input with the heads of PutFiles), or
// otherwise a safetensors file that stands alone.
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include <tern/inspect.h>
#include <tern/model.h>
#include <tern/tokenizer.h>
#include <tern/verify.h>

#include "tests/fuzz/accepts.h"
#include "tests/fuzz/files.h"
#include "tests/fuzz/fuzz.h"

namespace tern::fuzz {
namespace {

std::filesystem::path PutModel(std::string_view input) {
  const bool is_directory = input.starts_with("=== ");
  PutFiles(is_directory ? input : std::string_view(),
           {"config.json", "generation_config.json", "tokenizer_config.json",
            "tokenizer.json", "chat_template.jinja", "model.safetensors",
            "model.safetensors.index.json", "model-00001-of-00002.safetensors",
            "model-00002-of-00002.safetensors", "model.gguf"});
  if (is_directory) return Directory().path();
  return PutFile(input.starts_with("GGUF") ? "model.gguf" : "model.safetensors",
                 input);
}

// Whether Model::Load takes it; and the tokenizer, if there is one at all.
struct Loaded {
  bool model = false;
  bool tokenizer = false;
};

Loaded Load(const std::filesystem::path& path) {
  Loaded loaded;
  loaded.model = Accepts([&] { (void)Model::Load(path, {.num_threads = 1}); });
  loaded.tokenizer = Accepts([&] {
    try {
      (void)Tokenizer::Load(path);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kNotFound) throw;
    }
  });
  return loaded;
}

void CheckFaults(const VerifyReport& report, const Loaded& loaded) {
  for (const VerifyFault& fault : report.faults) {
    CheckMessage(Error(ErrorCode::kMalformed, fault.what));
    Check(!fault.file.empty(), "a fault is in no file");
  }
  Check(!report.faults.empty() || loaded.model,
        "Verify finds nothing wrong with a file that cannot be loaded");
  Check(!report.faults.empty() || loaded.tokenizer,
        "Verify finds nothing wrong with a tokenizer that cannot be loaded");
}

void CheckInspection(const ModelReport& report, const Loaded& loaded) {
  for (const std::string& problem : report.problems) {
    CheckMessage(Error(ErrorCode::kMalformed, problem));
  }
  for (const TensorReport& tensor : report.tensors) {
    if (!tensor.is_ternary) continue;
    const double all =
        tensor.share_minus + tensor.share_zero + tensor.share_plus;
    Check(all > 0.999 && all < 1.001, "the shares of a tensor are not all");
  }
  Check(report.runs == loaded.model,
        "Inspect is wrong about whether the model runs");
}

}  // namespace
}  // namespace tern::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  using namespace tern::fuzz;  // NOLINT(google-build-using-namespace)
  const auto path = PutModel(AsText(data, size));
  std::optional<tern::VerifyReport> faults;
  tern::VerifyOptions options;
  options.num_threads = 1;
  Accepts([&] { faults = tern::Verify(path, options); });
  std::optional<tern::ModelReport> report;
  Accepts([&] { report = tern::Inspect(path); });
  Check(faults.has_value() || !report.has_value(),
        "Verify refuses what Inspect can tell of");
  if (!report) {
    // Of a directory without a readable file Verify tells which are not.
    Check(!faults || !faults->faults.empty(),
          "Verify finds nothing wrong with what Inspect refuses");
    return 0;
  }
  const Loaded loaded = Load(path);
  CheckFaults(*faults, loaded);
  CheckInspection(*report, loaded);
  return 0;
}
