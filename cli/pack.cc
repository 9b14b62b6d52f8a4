// `tern pack`: any model that tern reads into one GGUF file, or a Hugging Face
// directory.
#include <chrono>
#include <cmath>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include <tern/error.h>
#include <tern/pack.h>

#include "cli/commands.h"
#include "cli/errors.h"
#include "cli/interrupt.h"
#include "cli/io.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "cli/text.h"

namespace tern::cli {
namespace {

struct PackCommand {
  std::vector<std::string> words;
  std::optional<std::string> type;
  std::string head = "keep";
  FormatOptions format;
  bool round_scales = false;
  bool force = false;
  bool json = false;
};

bool ParseOptions(const Arguments& arguments, PackCommand* command) {
  CommandLine line(
      {"tern pack SRC DST [options]",
       "Writes the model SRC (GGUF, or Hugging Face directory: packed, or "
       "master weights\nthat are ternarised by absmean) as the GGUF file DST, "
       "or, with --type hf, as the\nHugging Face directory DST. Ternary values "
       "and their scales are never changed;\nwhat the type cannot hold exactly "
       "is refused. Metadata and tokenizer are kept.\nDST appears only when it "
       "is complete; a kill leaves what was there before.",
       "  tern pack bitnet-b1.58-2B-4T bitnet-2b4t.gguf --head q8_0"});
  line.options().add_options()(
      "type", Name(&command->type, "--type", "TYPE"),
      "how ternary weights are stored: t2 (tern's own: any weights, checksums, "
      "loads fastest), or for other programs tq2_0, tq1_0 (a scale for 256 "
      "weights), i2_s (one a matrix), q2_0 (for 64 weights), hf (Hugging Face: "
      "config.json, model.safetensors, tokenizer); keep: layers of plain "
      "floats "
      "as they are, for other programs (default t2)")(
      "head", Name(&command->head, "--head", "TYPE"),
      "how the embedding is stored: keep, f16 or q8_0 (default keep; hf has no "
      "q8_0, so a model with one needs f16 there)")(
      "round-scales", po::bool_switch(&command->round_scales),
      "round scales that tq1_0, tq2_0 and q2_0 cannot hold (f16) to the "
      "nearest "
      "that they can, instead of refusing them")(
      "force", po::bool_switch(&command->force),
      "replace DST if it exists; a directory only if it holds nothing but the "
      "files of a model")("json", po::bool_switch(&command->json),
                          "print one JSON document");
  AddFormatOptions(line.options(), &command->format);
  line.TakeWords(2, &command->words);
  return line.Parse(arguments);
}

PackedType ParseType(const std::string& name) {
  if (name == "t2") return PackedType::kT2;
  if (name == "tq2_0") return PackedType::kTQ2_0;
  if (name == "tq1_0") return PackedType::kTQ1_0;
  if (name == "i2_s") return PackedType::kI2S;
  if (name == "q2_0") return PackedType::kQ2_0;
  if (name == "hf") return PackedType::kHuggingFace;
  if (name == "keep") return PackedType::kKeep;
  throw UsageError("--type: '" + name +
                   "' is not t2, tq2_0, tq1_0, i2_s, q2_0, hf or keep");
}

PackedHead ParseHead(const std::string& name) {
  if (name == "keep") return PackedHead::kKeep;
  if (name == "f16") return PackedHead::kF16;
  if (name == "q8_0") return PackedHead::kQ8_0;
  throw UsageError("--head: '" + name + "' is not keep, f16 or q8_0");
}

// "12 s", "3 min": what is left of a job that began at `start`.
std::string TimeLeft(std::chrono::steady_clock::time_point start,
                     double fraction) {
  const std::chrono::duration<double> spent =
      std::chrono::steady_clock::now() - start;
  // The first second tells little.
  if (spent.count() < 1 || fraction <= 0) return "";
  const double left = spent.count() * (1 - fraction) / fraction;
  const double shown = left < 90 ? left : left / 60;
  return "about " + std::to_string(std::lround(shown) + (left < 1 ? 1 : 0)) +
         (left < 90 ? " s" : " min") + " left";
}

// A layout of ternary weights: on a model that has none it would be ignored,
// and the file not be what was asked for.
bool IsForTernaryAlone(PackedType type) {
  return type != PackedType::kT2 && type != PackedType::kHuggingFace &&
         type != PackedType::kKeep;
}

bool HasF16Scales(PackedType type) {
  return type == PackedType::kTQ1_0 || type == PackedType::kTQ2_0 ||
         type == PackedType::kQ2_0;
}

}  // namespace

int PackModel(const Arguments& arguments) {
  PackCommand command;
  if (!ParseOptions(arguments, &command)) return kDone;
  PackOptions options;
  if (command.type) options.type = ParseType(*command.type);
  options.require_ternary = IsForTernaryAlone(options.type);
  if (command.round_scales && !HasF16Scales(options.type)) {
    throw UsageError(
        "--round-scales: is for tq1_0, tq2_0 and q2_0; the other types hold "
        "every scale, or refuse the model for another reason");
  }
  options.head = ParseHead(command.head);
  options.input_type = command.format.input_type;
  options.i2s_layout = command.format.i2s_layout.value_or(I2SLayout::kA);
  options.overwrite = command.force;
  options.round_scales = command.round_scales;
  if (command.words.size() < 2) {
    throw UsageError(command.words.empty() ? "SRC and DST: missing"
                                           : "DST: missing");
  }
  const std::string& destination = command.words[1];
  RefuseEmptyName(command.words[0], "SRC");
  RefuseEmptyName(destination, "DST");
  if (destination == "-") {
    throw UsageError("DST: '-' is no file; give the file a name");
  }
  // The library refuses it too, but cannot know the name of the option.
  // What --force would not replace either is Pack's to refuse.
  std::error_code ignored;  // Pack tells what is wrong with a path
  const bool is_replaceable =
      options.type == PackedType::kHuggingFace
          ? std::filesystem::is_directory(destination, ignored)
          : std::filesystem::is_regular_file(destination, ignored);
  if (!command.force && is_replaceable) {
    throw Error(
        ErrorCode::kInvalidArgument,
        destination + ": exists already; choose another name or give --force");
  }
  CatchInterrupts();
  Progress bar("packing");
  const auto start = std::chrono::steady_clock::now();
  options.progress = [&bar, start](double fraction) {
    ThrowIfInterrupted();
    bar.Update(fraction, TimeLeft(start, fraction));
  };
  const PackReport report = Pack(command.words[0], destination, options);
  bar.Clear();
  if (command.json) {
    WriteResult(DumpJson({{"file", destination},
                          {"bytes", report.bytes},
                          {"tensors", report.tensors},
                          {"rounded", report.rounded}}));
  } else {
    WriteResult(
        EscapeControls(destination) + ": " + std::to_string(report.tensors) +
        " tensors, " + HumanBytes(report.bytes) +
        (report.rounded == 0 ? ""
                             : ", scales of " + std::to_string(report.rounded) +
                                   " rounded to f16") +
        "\n");
  }
  return kDone;
}

}  // namespace tern::cli
