// `tern logits`: what the model says after given tokens, as raw float32.
#include <bit>
#include <filesystem>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <tern/model.h>
#include <tern/session.h>

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

static_assert(std::endian::native == std::endian::little,
              "the file is little-endian and is written as memory holds it");

struct LogitsOptions {
  std::string model;
  std::string tokens;
  std::string output;
  bool all = false;
  ComputeOptions compute;
};

bool ParseOptions(const Arguments& arguments, LogitsOptions* options) {
  CommandLine line(
      {"tern logits [-m PATH] --tokens IDS -o FILE [options]",
       "Feeds token ids to the model as they are (none is put before them) and "
       "writes\nthe logits after the last one, or after every one, as raw "
       "little-endian\nfloat32, [positions][vocabulary]. FILE appears only "
       "when "
       "it is complete.",
       "  tern logits --tokens 4093,46,1483 --all -o logits.f32"});
  AddModelOption(line.options(), &options->model);
  line.options().add_options()("tokens", Text(&options->tokens, "IDS"),
                               "token ids, separated by commas")(
      "all", po::bool_switch(&options->all),
      "logits after every token, not the last one only")(
      "output,o", Name(&options->output, "--output", "FILE"),
      "where to write them, - for standard output");
  AddComputeOptions(line.options(), &options->compute,
                    "positions to make room for (default: as many as tokens)");
  return line.Parse(arguments);
}

std::vector<Token> ParseTokens(const LogitsOptions& options) {
  std::vector<Token> tokens;
  try {
    tokens = ParseTokenIds(options.tokens);
  } catch (const std::invalid_argument& error) {
    throw UsageError(std::string("--tokens: ") + error.what());
  }
  if (tokens.empty()) throw UsageError("--tokens: give at least one id");
  if (options.output.empty()) throw UsageError("--output: give a file name");
  return tokens;
}

void CheckLength(std::size_t tokens, const Model& model,
                 const ComputeOptions& options) {
  CheckContext(options.context_length, model.config());
  const std::size_t room =
      options.context_length.value_or(model.config().max_context);
  if (tokens > room) {
    throw UsageError("--tokens: " + std::to_string(tokens) +
                     " ids do not fit into a context of " +
                     std::to_string(room) + "; " +
                     AdviceForLonger(room, model));
  }
}

std::string_view Bytes(std::span<const float> values) {
  const auto bytes = std::as_bytes(values);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

int Logits(const Arguments& arguments) {
  LogitsOptions options;
  if (!ParseOptions(arguments, &options)) return kDone;
  CatchInterrupts();
  const std::vector<Token> tokens = ParseTokens(options);
  const std::filesystem::path path = ChooseModel(options.model);
  RefuseOverwriting(path, options.output);
  const auto model = LoadModel(path, options.compute);
  if (const auto wrong = WrongToken(tokens, *model)) {
    throw UsageError("--tokens: " + *wrong);
  }
  CheckLength(tokens.size(), *model, options.compute);
  Session session = OpenSession(model, options.compute, tokens.size());
  ResultFile file(options.output);
  if (options.all) {
    Progress bar("logits");
    std::size_t done = 0;
    session.Append(tokens, [&](std::size_t, std::span<const float> logits) {
      ThrowIfInterrupted();
      file.Write(Bytes(logits));
      bar.Update(static_cast<double>(++done) /
                 static_cast<double>(tokens.size()));
    });
  } else {
    AppendInPieces(tokens, session);
    file.Write(Bytes(session.Logits()));
  }
  file.Commit();
  Note("wrote float32 logits [" +
       std::to_string(options.all ? tokens.size() : 1) + ", " +
       std::to_string(model->config().vocab_size) + "] to " +
       (options.output == "-" ? "standard output" : options.output));
  return kDone;
}

}  // namespace tern::cli
