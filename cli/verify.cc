// `tern verify`: whether a model is sound, and everything in it that is not.
#include <optional>
#include <string>
#include <vector>

#include <tern/verify.h>

#include "cli/commands.h"
#include "cli/errors.h"
#include "cli/interrupt.h"
#include "cli/io.h"
#include "cli/loading.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "cli/text.h"

namespace tern::cli {
namespace {

struct VerifyCommand {
  std::vector<std::string> words;
  std::string model;
  std::optional<I2SLayout> i2s_layout;
  int num_threads = 0;
  bool json = false;
};

bool ParseOptions(const Arguments& arguments, VerifyCommand* command) {
  CommandLine line(
      {"tern verify [options] [PATH]",
       "Reads all of a model and checks every byte range, code, scale and "
       "float, its\nsettings and its tokenizer, and the checksums of a t2 "
       "file, which find any bit\nthat changed (other formats record none). "
       "Goes on after a fault and names each\nwith file, tensor and byte; "
       "status 1 if there is one.",
       "  tern verify model.gguf"});
  AddModelOption(line.options(), &command->model);
  AddThreadsOption(line.options(), &command->num_threads);
  AddI2SLayoutOption(line.options(), &command->i2s_layout);
  line.options().add_options()("json", po::bool_switch(&command->json),
                               "print one JSON document");
  line.TakeWords(1, &command->words);
  return line.Parse(arguments);
}

Json ReportJson(const VerifyReport& report, const std::string& path) {
  Json faults = Json::array();
  for (const VerifyFault& fault : report.faults) {
    faults.push_back(
        {{"file", fault.file},
         {"tensor", fault.tensor.empty() ? Json() : Json(fault.tensor)},
         {"offset", fault.offset ? Json(*fault.offset) : Json()},
         {"what", fault.what}});
  }
  return {{"file", path},
          {"format", report.format},
          {"tensors", report.tensors},
          {"bytes", report.bytes},
          {"checksums", report.checksums},
          {"faults", faults}};
}

std::string ReportText(const VerifyReport& report, const std::string& path) {
  std::string out = EscapeControls(path) + ": " + report.format + ", " +
                    std::to_string(report.tensors) + " tensors of " +
                    HumanBytes(report.bytes) + ", ";
  if (report.checksums != 0) {
    out += std::to_string(report.checksums) + " checksums";
  } else {
    out += report.records_checksums
               ? "its checksums not compared, for it does not hold together"
               : "no checksums to compare (a code or a float that became "
                 "another valid one would not be found)";
  }
  if (report.faults.empty()) return out + ": sound\n";
  out += ": " + std::to_string(report.faults.size()) +
         (report.faults.size() == 1 ? " fault\n" : " faults\n");
  for (const VerifyFault& fault : report.faults) {
    out += "  " + EscapeControls(fault.what) + "\n";
  }
  return out;
}

}  // namespace

int VerifyModel(const Arguments& arguments) {
  VerifyCommand command;
  if (!ParseOptions(arguments, &command)) return kDone;
  if (!command.words.empty() && !command.model.empty()) {
    throw UsageError("--model: cannot be combined with '" + command.words[0] +
                     "'");
  }
  if (!command.words.empty()) RefuseEmptyName(command.words[0], "PATH");
  const std::string path =
      ChooseModel(command.words.empty() ? command.model : command.words[0])
          .string();
  CatchInterrupts();
  Progress bar("verifying");
  const VerifyReport report =
      Verify(path, {.i2s_layout = command.i2s_layout.value_or(I2SLayout::kA),
                    .num_threads = command.num_threads,
                    .progress = [&bar](double fraction) {
                      ThrowIfInterrupted();
                      bar.Update(fraction);
                    }});
  bar.Clear();
  WriteResult(command.json ? DumpJson(ReportJson(report, path))
                           : ReportText(report, path));
  if (report.faults.empty()) return kDone;
  Note("tern: " + path + ": " + std::to_string(report.faults.size()) +
       (report.faults.size() == 1 ? " fault" : " faults") +
       " found; fetch or convert the model again");
  return kFailed;
}

}  // namespace tern::cli
