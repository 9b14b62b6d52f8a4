// Reads every source file of the tree and fails on an arrow that the design
// forbids: packing <- ternary_kernels <- runtime <- cli, bench, tests.  Layers
// that only prose holds up decay.
#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace tern {
namespace {

namespace fs = std::filesystem;
using Strings = std::vector<std::string>;

const std::set<std::string> kFolders = {"packing", "ternary_kernels", "runtime",
                                        "cli",     "bench",           "tests"};
// The layers of the library, which must not print, end the process or read the
// environment.
const std::set<std::string> kLibrary = {"packing", "ternary_kernels",
                                        "runtime"};

// What an include line names, in the terms of the rules.
enum class Kind {
  kFolder,    // "cli/io.h": `folder` says which
  kPublic,    // <tern/model.h>
  kStandard,  // <vector>
  kSystem,    // <unistd.h>, <sys/mman.h>
  kHighway,
  kBoost,
  kOpenMp,
  kJson,
  kPcre,
  kTestTools,  // GoogleTest, Google Benchmark
  kUnknown,
};

struct Include {
  Kind kind = Kind::kUnknown;
  std::string folder;
};

bool StartsWith(const std::string& text, std::string_view start) {
  return text.rfind(start, 0) == 0;
}

Include Classify(const std::string& name, bool quoted) {
  if (StartsWith(name, "hwy/")) return {Kind::kHighway, ""};  // either way
  if (quoted) {
    const std::string folder = name.substr(0, name.find('/'));
    const bool known =
        name.find('/') != std::string::npos && kFolders.count(folder) != 0;
    return known ? Include{Kind::kFolder, folder} : Include{};
  }
  const std::vector<std::pair<std::string_view, Kind>> starts = {
      {"tern/", Kind::kPublic},     {"boost/", Kind::kBoost},
      {"omp.h", Kind::kOpenMp},     {"nlohmann/", Kind::kJson},
      {"pcre2", Kind::kPcre},       {"gtest/", Kind::kTestTools},
      {"gmock/", Kind::kTestTools}, {"benchmark/", Kind::kTestTools},
      {"sys/", Kind::kSystem},      {"netinet/", Kind::kSystem},
      {"linux/", Kind::kSystem}};
  for (const auto& [start, kind] : starts) {
    if (StartsWith(name, start)) return {kind, ""};
  }
  if (name.find('/') != std::string::npos) return {};
  const bool has_suffix = name.find('.') != std::string::npos;
  return {has_suffix ? Kind::kSystem : Kind::kStandard, ""};
}

struct Rule {
  std::set<std::string> folders;  // whose headers may be included
  std::set<Kind> kinds;
};

// The arrows.  <vector> and the like are allowed everywhere.
Rule RuleFor(const std::string& path) {
  const std::set<Kind> tools = {Kind::kPublic, Kind::kSystem, Kind::kJson,
                                Kind::kTestTools};
  if (StartsWith(path, "packing/")) return {{"packing"}, {}};
  if (StartsWith(path, "ternary_kernels/")) {
    return {{"packing", "ternary_kernels"}, {Kind::kHighway}};
  }
  if (path == "runtime/include/tern.h") {  // C: <stdint.h>
    return {{}, {Kind::kPublic, Kind::kSystem}};
  }
  if (StartsWith(path, "runtime/include/")) return {{}, {Kind::kPublic}};
  if (path == "runtime/parallel.cc")
    return {{"runtime"}, {Kind::kOpenMp, Kind::kPublic, Kind::kSystem}};
  if (StartsWith(path, "runtime/")) {
    return {{"packing", "ternary_kernels", "runtime"},
            {Kind::kPublic, Kind::kSystem, Kind::kJson, Kind::kPcre}};
  }
  if (StartsWith(path, "cli/")) {
    return {{"cli"}, {Kind::kPublic, Kind::kSystem, Kind::kJson, Kind::kBoost}};
  }
  if (StartsWith(path, "tests/embed/")) {  // a host, with OpenMP of its own
    return {{"tests"},
            {Kind::kPublic, Kind::kSystem, Kind::kTestTools, Kind::kOpenMp}};
  }
  Rule rule{{"packing", "ternary_kernels", "runtime"}, tools};
  if (StartsWith(path, "bench/")) {
    rule.folders.insert("bench");
    return rule;
  }
  rule.folders.insert({"cli", "tests"});
  rule.kinds.insert(Kind::kBoost);
  if (StartsWith(path, "tests/ternary_kernels/")) {
    rule.kinds.insert(Kind::kHighway);
  }
  return rule;
}

bool Allowed(const Include& include, const Rule& rule) {
  if (include.kind == Kind::kStandard) return true;
  if (include.kind == Kind::kFolder) {
    return rule.folders.count(include.folder) != 0;
  }
  return rule.kinds.count(include.kind) != 0;
}

// The end of the comment or literal that starts at `at`, or `at` if none does.
std::size_t SkipFrom(const std::string& text, std::size_t at) {
  const auto after = [&](const std::string& end, std::size_t from) {
    const std::size_t found = text.find(end, from);
    return found == std::string::npos ? text.size() : found + end.size();
  };
  if (text.compare(at, 2, "//") == 0) {
    return std::min(text.find('\n', at), text.size());
  }
  if (text.compare(at, 2, "/*") == 0) return after("*/", at + 2);
  if (text.compare(at, 2, "R\"") == 0) {
    const std::size_t open = std::min(text.find('(', at), text.size() - 1);
    return after(")" + text.substr(at + 2, open - at - 2) + "\"", open);
  }
  const char quote = text[at];
  const bool separator =  // 1'000'000
      quote == '\'' && at > 0 && std::isxdigit(text[at - 1]) != 0;
  if ((quote != '"' && quote != '\'') || separator) return at;
  for (std::size_t i = at + 1; i < text.size() && text[i] != '\n'; ++i) {
    if (text[i] == quote) return i + 1;
    if (text[i] == '\\') ++i;
  }
  return at;  // a lone quote, in #error for one
}

// The code without comments and without what stands between quotes.
std::string WithoutCommentsAndStrings(const std::string& text) {
  std::string code;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = SkipFrom(text, at);
    code += end == at ? text[at] : ' ';
    at = std::max(end, at + 1);
  }
  return code;
}

void CheckIncludes(const std::string& path, const std::string& text,
                   Strings* faults) {
  static const std::regex kInclude(
      R"re(^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"])re");
  const Rule rule = RuleFor(path);
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::smatch match;
    if (!std::regex_search(line, match, kInclude)) continue;
    if (!Allowed(Classify(match[2], match[1] == "\""), rule)) {
      faults->push_back(path + ": must not have " + match.str());
    }
  }
}

void CheckWords(const std::string& path, const std::string& text,
                Strings* faults) {
  static const std::regex kPragma(R"re(#\s*pragma\s+omp\b|\b_Pragma\b)re");
  static const std::regex kForbidden(
      R"re(\b(?:secure_)?getenv\b|\bv?f?printf\b|\bputs\b|\bputchar\b|\bperror\b)re"
      R"re(|\bstd(?:out|err)\b|\bc(?:out|err|log)\b|\babort\b|\bassert\s*\()re"
      R"re(|\bHWY_ABORT\b|\bHWY_ASSERT\b|\b(?:quick_|_)?exit\s*\(|\bterminate\b)re");
  const std::string code = WithoutCommentsAndStrings(text);
  std::smatch match;
  if (path != "runtime/parallel.cc" && !StartsWith(path, "tests/embed/") &&
      std::regex_search(code, match, kPragma)) {
    faults->push_back(path + ": OpenMP outside runtime/parallel.cc");
  }
  const std::string folder = path.substr(0, path.find('/'));
  if (kLibrary.count(folder) != 0 &&
      std::regex_search(code, match, kForbidden)) {
    faults->push_back(path + ": the library must not use " + match.str());
  }
}

Strings Faults(const std::string& path, const std::string& text) {
  Strings faults;
  CheckIncludes(path, text, &faults);
  CheckWords(path, text, &faults);
  return faults;
}

std::string ReadFile(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(Layering, NoFileOfTheTreeHasAForbiddenArrow) {
  const fs::path root = TERN_SOURCE_DIR;
  const std::set<std::string> suffixes = {".h", ".cc"};
  std::map<std::string, int> files;
  for (const std::string& folder : kFolders) {
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
      if (suffixes.count(entry.path().extension().string()) == 0) continue;
      ++files[folder];
      const std::string path =
          entry.path().lexically_relative(root).generic_string();
      for (const std::string& fault : Faults(path, ReadFile(entry.path()))) {
        ADD_FAILURE() << fault;
      }
    }
  }
  for (const std::string& folder : kFolders) {
    if (folder == "bench") continue;  // may hold nothing yet
    EXPECT_GT(files[folder], 0) << folder << ": no file was read";
  }
}

TEST(Layering, EveryForbiddenArrowIsSeen) {
  const std::vector<std::array<std::string, 2>> bad = {
      {"packing/a.cc", "#include \"runtime/parallel.h\"\n"},
      {"packing/a.cc", "#include \"ternary_kernels/matvec.h\"\n"},
      {"packing/a.cc", "#include <tern/error.h>\n"},
      {"packing/a.cc", "#include <hwy/highway.h>\n"},
      {"packing/a.cc", "#include <nlohmann/json.hpp>\n"},
      {"packing/a.cc", "#include <unistd.h>\n"},
      {"packing/a.cc", "#include \"half.h\"\n"},  // not from the root
      {"ternary_kernels/a.cc", "#include \"runtime/parallel.h\"\n"},
      {"ternary_kernels/a.cc", "#include <tern/error.h>\n"},
      {"ternary_kernels/a.cc", "  #  include <omp.h>\n"},
      {"ternary_kernels/a.cc", "#pragma omp parallel for\n"},
      {"ternary_kernels/a-inl.h", "_Pragma(\"omp simd\")\n"},
      {"runtime/a.cc", "#include <hwy/highway.h>\n"},
      {"runtime/a.cc", "#include <boost/crc.hpp>\n"},
      {"runtime/a.cc", "#include <omp.h>\n"},
      {"runtime/a.cc", "#include \"cli/io.h\"\n"},
      {"runtime/a.cc", "#include \"tests/support/subprocess.h\"\n"},
      {"runtime/a.cc", "#pragma  omp critical\n"},
      {"runtime/parallel.cc", "#include <boost/crc.hpp>\n"},
      {"runtime/include/tern/a.h", "#include \"runtime/parallel.h\"\n"},
      {"runtime/include/tern/a.h", "#include \"packing/half.h\"\n"},
      {"runtime/include/tern/a.h", "#include <nlohmann/json.hpp>\n"},
      {"cli/a.cc", "#include \"runtime/parallel.h\"\n"},
      {"cli/a.cc", "#include \"packing/half.h\"\n"},
      {"cli/a.cc", "#include \"ternary_kernels/targets.h\"\n"},
      {"cli/a.cc", "#include <hwy/highway.h>\n"},
      {"bench/a.cc", "#include <boost/crc.hpp>\n"},
      {"bench/a.cc", "#include <hwy/highway.h>\n"},
      {"bench/a.cc", "#include \"cli/io.h\"\n"},
      {"tests/a.cc", "#include <omp.h>\n"},
      {"tests/runtime/a.cc", "#include <hwy/highway.h>\n"},
      {"tests/embed/a.cc", "#include \"runtime/parallel.h\"\n"},
      {"runtime/a.cc", "const char* v = std::getenv(name);\n"},
      {"runtime/a.cc", "std::cout << 1;\n"},
      {"runtime/a.cc", "std::cerr << 1;\n"},
      {"packing/a.cc", "printf(\"x\");\n"},
      {"packing/a.cc", "std::fprintf(file, \"x\");\n"},
      {"packing/a.cc", "assert(x > 0);\n"},
      {"ternary_kernels/a.cc", "std::abort();\n"},
      {"ternary_kernels/a.cc", "int x = 1'000; exit(1); int y = 2'000;\n"},
      {"runtime/a.cc", "/* fine */ std::exit(1); // \"\n"},
      {"runtime/a.cc", "f(\"//\"); std::exit(1);\n"},
      {"runtime/a.cc", "f(R\"(\")\"); std::exit(1); g(\")\");\n"},
      {"ternary_kernels/a.cc",
       "#include \"hwy/foreach_target.h\"\n"
       "#include \"runtime/parallel.h\"\n"},
      {"runtime/a.cc", "char c = '\"'; std::exit(1); char d = '\"';\n"},
  };
  for (const auto& [path, text] : bad) {
    EXPECT_EQ(Faults(path, text).size(), 1U) << path << ": " << text;
  }
}

TEST(Layering, WhatIsAllowedIsNotReported) {
  const std::vector<std::array<std::string, 2>> good = {
      {"packing/a.cc", "#include <vector>\n#include \"packing/half.h\"\n"},
      {"ternary_kernels/a.cc",
       "#include <hwy/highway.h>\n#include \"packing/half.h\"\n"},
      {"runtime/a.cc",
       "#include <sys/mman.h>\n#include <pcre2.h>\n#include <tern/model.h>\n"
       "#include \"ternary_kernels/matvec.h\"\n#include <nlohmann/json.hpp>\n"},
      {"runtime/parallel.cc", "#include <omp.h>\n#pragma omp parallel\n"},
      {"runtime/a.cc", "// exit(1), std::cout\nint size = 1'000;\n"},
      {"runtime/a.cc", "/* abort() */ throw Error(\"do not abort\");\n"},
      {"runtime/a.cc", "std::snprintf(b, 9, \"x\"); static_assert(true);\n"},
      {"runtime/a.cc", "on_exit_code = 1; LoopExit(2);\n"},
      {"cli/a.cc", "#include <boost/program_options.hpp>\nexit(1);\n"},
      {"tests/cli/a.cc", "#include \"cli/io.h\"\n#include <gtest/gtest.h>\n"},
      {"tests/ternary_kernels/a.cc", "#include <hwy/highway.h>\n"},
      {"tests/embed/a.cc", "#include <omp.h>\n#pragma omp parallel\n"},
      {"bench/a.cc", "#include <benchmark/benchmark.h>\n"},
  };
  for (const auto& [path, text] : good) {
    EXPECT_EQ(Faults(path, text), Strings()) << path << ": " << text;
  }
}

}  // namespace
}  // namespace tern
