// The contract of the program that needs no model: help, exit status, errors.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/subprocess.h"

namespace tern {
namespace {

namespace fs = std::filesystem;
using testing::ProgramResult;
using testing::ProgramRun;
using testing::RunProgram;
using Words = std::vector<std::string>;

const Words kCommands = {"run",    "tokenize",   "detokenize", "embed",
                         "logits", "perplexity", "inspect",    "pack",
                         "verify", "bench",      "serve"};

ProgramResult Tern(const Words& words, const ProgramRun& run = {}) {
  return RunProgram(TERN_PROGRAM, words, run);
}

std::size_t Lines(const std::string& text) {
  std::size_t lines = 0;
  for (const char byte : text) lines += byte == '\n' ? 1 : 0;
  return lines;
}

std::size_t LongestLine(const std::string& text) {
  std::istringstream lines(text);
  std::size_t longest = 0;
  for (std::string line; std::getline(lines, line);) {
    longest = std::max(longest, line.size());
  }
  return longest;
}

bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// Status, nothing on stdout, one line on stderr that names `part`.
void ExpectError(const ProgramResult& result, int status,
                 const std::string& part) {
  EXPECT_EQ(result.status, status) << result.err;
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(Lines(result.err), 1U) << result.err;
  EXPECT_EQ(result.err.substr(0, 6), "tern: ") << result.err;
  EXPECT_TRUE(Contains(result.err, part)) << result.err;
}

TEST(Usage, WithoutACommandTheHelpGoesToStderr) {
  const ProgramResult result = Tern({});
  EXPECT_EQ(result.status, 2);
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(result.err, Tern({"help"}).out);
}

TEST(Usage, HelpListsEveryCommand) {
  for (const Words& words : {Words{"help"}, Words{"--help"}}) {
    const ProgramResult result = Tern(words);
    EXPECT_EQ(result.status, 0);
    EXPECT_EQ(result.err, "");
    for (const std::string& command : kCommands) {
      EXPECT_TRUE(Contains(result.out, "\n  " + command + " ")) << command;
    }
  }
}

TEST(Usage, EveryCommandHasHelpWithAnExample) {
  for (const std::string& command : kCommands) {
    const ProgramResult result = Tern({command, "--help"});
    EXPECT_EQ(result.status, 0) << command;
    EXPECT_EQ(result.err, "") << command;
    EXPECT_TRUE(Contains(result.out, "usage: tern " + command)) << command;
    EXPECT_TRUE(Contains(result.out, "\nExample:\n  tern " + command))
        << command;
    EXPECT_EQ(Tern({"help", command}).out, result.out) << command;
    EXPECT_LE(LongestLine(result.out), 80U) << command;
  }
}

TEST(Usage, VersionNamesEverythingThatABugReportNeeds) {
  const ProgramResult result = Tern({"--version"});
  EXPECT_EQ(result.status, 0);
  for (const char* part : {"tern ", "compiler: ", "Highway: ",
                           "active target: ", "compiled targets: "}) {
    EXPECT_TRUE(Contains(result.out, part)) << result.out;
  }
}

TEST(Usage, UnknownCommandsAndOptionsAreNamed) {
  ExpectError(Tern({"nope"}), 2, "'nope'");
  ExpectError(Tern({"help", "nope"}), 2, "'nope'");
  ExpectError(Tern({"--version", "extra"}), 2, "'extra'");
  ExpectError(Tern({"help", "run", "extra"}), 2, "'extra'");
  for (const std::string& command : kCommands) {
    ExpectError(Tern({command, "--no-such-option"}), 2, "--no-such-option");
  }
}

TEST(Usage, AbbreviatedOptionsAreUnknown) {
  ExpectError(Tern({"run", "--tem", "1"}), 2, "--tem:");
}

TEST(Usage, NumbersOutOfRangeAreNamed) {
  const std::vector<std::pair<std::string, std::string>> bad = {
      {"--temp", "-1"},
      {"--temp", "nan"},
      {"--temp", "warm"},
      {"--top-k", "-1"},
      {"--top-p", "0"},
      {"--top-p", "1.01"},
      {"--min-p", "2"},
      {"--repeat-penalty", "0"},
      {"--repeat-last-n", "-2"},
      {"--presence-penalty", "inf"},
      {"--seed", "-1"},
      {"--max-tokens", "-1"},
      {"--ctx", "0"},
      {"--threads", "0"},
      {"--kv", "f64"},
      {"--head", "q4"},
      {"--activations", "int4"},
      {"--i2s-layout", "d"},
      {"--threads", "1.5"},
      {"--ctx", "99999999999"},
      {"--seed", "18446744073709551616"}};
  for (const auto& [option, value] : bad) {
    ExpectError(Tern({"run", "-p", "x", option, value}), 2, option + ":");
  }
  ExpectError(Tern({"perplexity", "-f", "x", "--stride", "0"}), 2, "--stride");
  ExpectError(Tern({"perplexity", "-f", "x", "--ctx", "3"}), 2, "--ctx");
  ExpectError(Tern({"pack", "a", "b", "--type", "q4"}), 2, "--type");
  ExpectError(Tern({"pack", "a", "b", "--head", "q4"}), 2, "--head");
}

TEST(Usage, ConflictsAndGapsAreNamed) {
  ExpectError(Tern({"run", "-p", "x", "-f", "y"}), 2, "--file");
  ExpectError(Tern({"run", "-p", "x", "-p", "y"}), 2, "--prompt");
  ExpectError(Tern({"run", "-p"}), 2, "--prompt");
  ExpectError(Tern({"run", "-p", "x", "--stop", ""}), 2, "--stop");
  ExpectError(Tern({"run", "-p", "x", "--json=1"}), 2, "--json");
  ExpectError(Tern({"run", "word"}), 2, "'word'");
  ExpectError(Tern({"tokenize", "a", "b"}), 2, "'b'");
  ExpectError(Tern({"tokenize", "a", "--ids", "--json"}), 2, "--ids");
  ExpectError(Tern({"tokenize", "a", "-f", "b"}), 2, "--file");
  ExpectError(Tern({"detokenize", "1,x"}), 2, "'x'");
  ExpectError(Tern({"logits", "-o", "x"}), 2, "--tokens");
  ExpectError(Tern({"logits", "--tokens", "1"}), 2, "--output");
  ExpectError(Tern({"logits", "--tokens", "1,b", "-o", "x"}), 2, "--tokens");
  ExpectError(Tern({"perplexity"}), 2, "--file or --tokens");
  ExpectError(Tern({"perplexity", "-f", "a", "--tokens", "b"}), 2, "--tokens");
  ExpectError(Tern({"perplexity", "-f", "a", "--stride", "512"}), 2,
              "--stride");
  ExpectError(Tern({"inspect", "a", "-m", "b"}), 2, "--model");
  ExpectError(Tern({"pack"}), 2, "SRC");
  ExpectError(Tern({"pack", "a"}), 2, "DST");
  ExpectError(Tern({"pack", "a", "b", "c"}), 2, "'c'");
}

TEST(Usage, EmptyNamesAreRefused) {
  const std::string empty = ": the name is empty";
  ExpectError(Tern({"run", "-p", "x", "-m", ""}), 2, "--model" + empty);
  ExpectError(Tern({"run", "-f", ""}), 2, "--file" + empty);
  ExpectError(Tern({"run", "-p", "x", "--target", ""}), 2, "--target" + empty);
  ExpectError(Tern({"tokenize", "-f", ""}), 2, "--file" + empty);
  ExpectError(Tern({"logits", "--tokens", "1", "-o", ""}), 2,
              "--output" + empty);
  ExpectError(Tern({"perplexity", "-f", ""}), 2, "--file" + empty);
  ExpectError(Tern({"perplexity", "--tokens", ""}), 2, "--tokens" + empty);
  ExpectError(Tern({"inspect", ""}), 2, "PATH" + empty);
  ExpectError(Tern({"pack", "", "x"}), 2, "SRC" + empty);
  ExpectError(Tern({"pack", "x", ""}), 2, "DST" + empty);
  ExpectError(Tern({"pack", "x", "-"}), 2, "DST: '-'");
}

TEST(Usage, UnknownTargetIsNamed) {
  ExpectError(Tern({"run", "-p", "x", "-m", "no/such.gguf", "--target", "Z80"}),
              2, "--target: 'Z80'");
}

TEST(Failure, MissingFilesAreNamed) {
  const std::string file = "/no/such/file.gguf";
  ExpectError(Tern({"run", "-p", "x", "-m", file}), 1, file);
  ExpectError(Tern({"tokenize", "x", "-m", file}), 1, file);
  ExpectError(Tern({"detokenize", "1", "-m", file}), 1, file);
  ExpectError(Tern({"logits", "--tokens", "1", "-o", "x", "-m", file}), 1,
              file);
  ExpectError(Tern({"perplexity", "-f", "-", "-m", file}), 1, file);
  ExpectError(Tern({"perplexity", "-f", "/no/text", "-m", file}), 1,
              "/no/text");
  ExpectError(Tern({"inspect", file}), 1, file);
  ExpectError(Tern({"pack", file, "x.gguf"}), 1, file);
  ExpectError(Tern({"run", "-f", "/no/such/prompt"}), 1, "/no/such/prompt");
  ExpectError(Tern({"tokenize", "-f", "/"}), 1, "/: ");
  const std::string too_long(5000, 'x');
  ExpectError(Tern({"pack", file, too_long}), 1, "tern: /no/such/file.gguf: ");
}

TEST(Failure, ModelOfTheEnvironmentIsUsed) {
  const ProgramResult result =
      Tern({"run", "-p", "x"}, {.environment = {{"TERN_MODEL", "/no/model"}}});
  ExpectError(result, 1, "/no/model");
  EXPECT_TRUE(Contains(result.err, "TERN_MODEL")) << result.err;
}

TEST(Failure, NamesWithControlCharactersStayOneLine) {
  ExpectError(Tern({"inspect", "/no/\033[2J\nfile"}), 1, "/no/\\x1b[2J\\nfile");
}

TEST(Failure, InterruptWhileAPipeIsOpenedIs130) {
  const fs::path pipe =
      fs::temp_directory_path() / ("tern_fifo_" + std::to_string(getpid()));
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  // Only the shell's background job has to get the signal; nobody writes.
  const std::string script =
      "trap - INT; \"$0\" run -f \"$1\" & sleep 0.5; kill -INT $!; wait $!";
  EXPECT_EQ(RunProgram("/bin/bash", {"-mc", script, TERN_PROGRAM, pipe}).status,
            130);
  fs::remove(pipe);
}

TEST(Failure, WithoutAModelBothPlacesAreNamed) {
  const fs::path root =
      fs::temp_directory_path() / ("tern_usage_" + std::to_string(getpid()));
  const fs::path folder = root / "build" / "release";
  fs::create_directories(folder);
  fs::copy_file(TERN_PROGRAM, folder / "tern");
  const ProgramRun run = {.environment = {{"TERN_MODEL", ""}}};
  const ProgramResult result =
      RunProgram((folder / "tern").string(), {"run", "-p", "x"}, run);
  ExpectError(result, 1, (root / "models" / "books-79m.gguf").string());
  EXPECT_TRUE(Contains(result.err, "share/tern/books-79m.gguf")) << result.err;
  // Where it is found, it is what is opened.
  fs::create_directories(root / "models");
  std::ofstream(root / "models" / "books-79m.gguf") << "not a model";
  const ProgramResult found =
      RunProgram((folder / "tern").string(), {"run", "-p", "x"}, run);
  ExpectError(found, 1, (root / "models" / "books-79m.gguf").string() + ":");
  EXPECT_FALSE(Contains(found.err, "share/tern")) << found.err;
  fs::remove_all(root);
}

TEST(Failure, FullDiskIsAnError) {
  ExpectError(Tern({"help"}, {.stdout_path = "/dev/full"}), 1,
              "standard output");
}

TEST(Failure, ClosedStreamsAreErrors) {
  const ProgramResult output =
      RunProgram("/bin/sh", {"-c", "exec \"$0\" help >&-", TERN_PROGRAM});
  ExpectError(output, 1, "standard output");
  const ProgramResult input =
      RunProgram("/bin/sh", {"-c", "exec \"$0\" run <&-", TERN_PROGRAM});
  ExpectError(input, 1, "standard input");
}

TEST(Failure, ClosedPipeEndsQuietly) {
  const ProgramResult result = Tern({"help"}, {.close_stdout = true});
  EXPECT_EQ(result.status, 1);
  EXPECT_EQ(result.err, "");
}

}  // namespace
}  // namespace tern
