// The interpreter against Jinja2 as transformers sets it up: the golden files
// are written by scripts/make_chat_golden.py.
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include <gtest/gtest.h>

#include <tern/error.h>

#include "tests/runtime/chat/run_template.h"
#include "tests/support/golden.h"
#include "tests/support/temporary_directory.h"

namespace tern::jinja {
namespace {

using nlohmann::ordered_json;

std::filesystem::path Folder() { return testing::GoldenDir() / "chat"; }

ordered_json ReadJson(const char* name) {
  return ordered_json::parse(ReadFile(Folder() / name));
}

// The same text, or refused by both.
void ExpectAgreement(const std::string& text, const ordered_json& variables,
                     const ordered_json& want) {
  try {
    const MarkedText got = RunTemplate(text, variables);
    EXPECT_EQ(ordered_json(got.bytes), want) << text;
    EXPECT_EQ(got.mask.size(), got.bytes.size());
  } catch (const Error& error) {
    EXPECT_TRUE(want.is_null()) << text << error.what();
  }
}

TEST(JinjaGolden, ExpressionsAndStatementsGiveWhatJinja2Gives) {
  const ordered_json variables = ReadJson("variables.json");
  const ordered_json cases = ReadJson("expressions.json");
  ASSERT_GT(cases.size(), 100U);
  for (const ordered_json& known : cases) {
    ExpectAgreement(known["template"], variables, known["text"]);
  }
}

TEST(JinjaGolden, ConversationsGiveWhatJinja2Gives) {
  const ordered_json golden = ReadJson("rendered.json");
  ASSERT_GT(golden["rendered"].size(), 100U);
  for (const ordered_json& known : golden["rendered"]) {
    const std::string name = known["template"];
    SCOPED_TRACE(name + ", " + known["conversation"].get<std::string>());
    ordered_json variables = golden["common"];
    const std::string conversation = known["conversation"];
    for (const auto& [key, value] :
         golden["conversations"][conversation].items()) {
      variables[key] = value;
    }
    ExpectAgreement(ReadFile(Folder() / "templates" / name), variables,
                    known["text"]);
  }
}

}  // namespace
}  // namespace tern::jinja
