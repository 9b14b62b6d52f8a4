// `tern`: finds the command, runs it, and turns what it throws into one line on
// stderr and an exit status.
#include <array>
#include <csignal>
#include <exception>
#include <iostream>
#include <new>
#include <string>
#include <string_view>

#include <tern/cpu.h>
#include <tern/error.h>

#include "cli/commands.h"
#include "cli/errors.h"
#include "cli/interrupt.h"
#include "cli/io.h"

namespace tern::cli {
namespace {

struct Command {
  std::string_view name;
  std::string_view summary;
  int (*function)(const Arguments&);
};

constexpr std::array kCommands = {
    Command{"run", "complete a prompt, token by token", Run},
    Command{"chat", "talk with a model, in its own chat template", RunChat},
    Command{"serve", "answer HTTP requests, as OpenAI's API does", Serve},
    Command{"tokenize", "token ids of a text", Tokenize},
    Command{"detokenize", "text of token ids", Detokenize},
    Command{"logits", "write the logits after given tokens to a file", Logits},
    Command{"embed", "texts as vectors", Embed},
    Command{"perplexity", "how well a model predicts a text", Perplexity},
    Command{"inspect", "what a model file holds, and whether it is sound",
            InspectModel},
    Command{"pack", "convert a model into one GGUF file", PackModel},
    Command{"verify", "whether a model is sound, byte by byte", VerifyModel},
    Command{"bench",
            "how fast a model runs, and how near to the memory's speed", Bench},
};

const Command* Find(std::string_view name) {
  for (const Command& command : kCommands) {
    if (command.name == name) return &command;
  }
  return nullptr;
}

std::string CommandList() {
  std::string out =
      "tern runs ternary language models on ordinary CPUs, without multiplying "
      "by a\nweight.\n\nusage: tern COMMAND [options]\n\nCommands:\n";
  for (const Command& command : kCommands) {
    out += "  " + std::string(command.name) +
           std::string(12 - command.name.size(), ' ') +
           std::string(command.summary) + "\n";
  }
  return out +
         "\n`tern COMMAND --help` explains a command and gives an example.\n"
         "`tern --version` tells versions and instruction sets.\n\n"
         "Example:\n  tern run -p \"Once upon a time\" -n 60\n";
}

std::string Joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += " " + word;
  return out;
}

std::string VersionText() {
  return "tern " + Version() + "\ncompiler: " + CompilerVersion() +
         "\nHighway: " + HighwayVersion() +
         "\nactive target: " + ActiveTarget() +
         "\nsupported targets:" + Joined(SupportedTargets()) +
         "\ncompiled targets:" + Joined(CompiledTargets()) + "\n";
}

int Dispatch(const Arguments& words) {
  if (words.empty()) {
    std::cerr << CommandList() << std::flush;
    return kWrongUsage;
  }
  const std::string& first = words[0];
  const bool is_help = first == "help" || first == "--help" || first == "-h";
  const std::size_t known_words = is_help ? 2 : 1;
  if (first == "--version" || is_help) {
    if (words.size() > known_words) {
      throw UsageError("'" + words[known_words] + "': one word too many");
    }
  }
  if (first == "--version") {
    WriteResult(VersionText());
    return kDone;
  }
  if (const Command* command = Find(first); command != nullptr) {
    return command->function(Arguments(words.begin() + 1, words.end()));
  }
  if (!is_help) throw UsageError("'" + first + "': no such command");
  if (words.size() < 2) {
    WriteResult(CommandList());
    return kDone;
  }
  const Command* command = Find(words[1]);
  if (command == nullptr) {
    throw UsageError("'" + words[1] + "': no such command");
  }
  return command->function({"--help"});
}

// The advice at the end of a usage error.
std::string WhereToLook(const Arguments& words) {
  const bool known = !words.empty() && Find(words[0]) != nullptr;
  return known ? "; see `tern " + words[0] + " --help`" : "; see `tern help`";
}

int RunGuarded(const Arguments& words) {
  try {
    OccupyStandardStreams();
    return Dispatch(words);
  } catch (const UsageError& error) {
    Note("tern: " + std::string(error.what()) + WhereToLook(words));
    return kWrongUsage;
  } catch (const Interrupted&) {
    return kInterrupted;
  } catch (const OutputClosed&) {
    return kFailed;
  } catch (const std::bad_alloc&) {
    Note("tern: memory: not enough; use a smaller model or context");
    return kFailed;
  } catch (const std::exception& error) {
    Note("tern: " + std::string(error.what()));
    return kFailed;
  }
}

}  // namespace
}  // namespace tern::cli

int main(int argc, char** argv) {
  // A closed pipe, and a file larger than allowed, are errors of write().
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  tern::cli::EndOnInterrupt();
  return tern::cli::RunGuarded({argv + 1, argv + argc});
}
