// What the golden files cannot show: where each byte came from, what is
// refused and how, and that every run ends.
#include <chrono>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <tern/error.h>

#include "tests/runtime/chat/run_template.h"
#include "tests/support/expect_error.h"
#include "tests/support/golden.h"
#include "tests/support/temporary_directory.h"

namespace tern::jinja {
namespace {

using nlohmann::ordered_json;

// The text with the caller's bytes in upper case, which the templates below do
// not use.
std::string Origins(const std::string& text, const std::string& typed) {
  const MarkedText got = RunTemplate(text, {{"typed", typed}});
  std::string shown;
  for (std::size_t i = 0; i < got.size(); ++i) {
    shown += got.mask[i] == kFromCaller ? 'U' : got.bytes[i];
  }
  return shown;
}

TEST(JinjaOrigin, FollowsEveryByteOfWhatAUserTyped) {
  EXPECT_EQ(Origins("<{{ typed }}>", "abc"), "<UUU>");
  EXPECT_EQ(Origins("{{ '<' + typed + '>' }}", "abc"), "<UUU>");
  EXPECT_EQ(Origins("{{ '<' ~ typed ~ 5 }}", "abc"), "<UUU5");
  EXPECT_EQ(Origins("{{ (' ' + typed + ' ') | trim + '.' }}", " ab "), "UU.");
  EXPECT_EQ(Origins("{{ ('x' + typed)[::-1] }}", "abc"), "UUUx");
  EXPECT_EQ(Origins("{{ ('x' + typed)[1:2] }}", "abc"), "U");
  EXPECT_EQ(Origins("{{ typed | upper }}{{ typed | capitalize }}", "ab"),
            "UUUU");
  EXPECT_EQ(Origins("{{ typed.replace('b', 'xy') }}", "abc"), "UxyU");
  EXPECT_EQ(Origins("{{ 'abc'.replace('b', typed) }}", "--"), "aUUc");
  EXPECT_EQ(Origins("{{ typed.split(',') | join(';') }}", "a,b"), "U;U");
  EXPECT_EQ(Origins("{{ [typed] | tojson }}", "a\"b"), "[\"UUUU\"]");
  EXPECT_EQ(Origins("{{ [typed] }}", "a\n"), "['UUU']");
  EXPECT_EQ(Origins("{{ 'x' * 2 }}{{ typed * 2 }}", "a"), "xxUU");
  EXPECT_EQ(Origins("{% set x %}<{{ typed }}>{% endset %}{{ x }}", "a"), "<U>");
  EXPECT_EQ(
      Origins("{% macro m(x) %}<{{ x }}>{% endmacro %}{{ m(typed) }}", "a"),
      "<U>");
  EXPECT_EQ(Origins("{% for c in typed %}{{ c }},{% endfor %}", "ab"), "U,U,");
  EXPECT_EQ(Origins("{{ typed | default('x') }}{{ typed.strip('a') }}", "ab"),
            "UUU");
  EXPECT_EQ(Origins("{{ {'k': typed}.items() | list }}", "v"), "[('k', 'U')]");
}

TEST(JinjaRefusal, NamesLineAndConstruct) {
  struct Case {
    const char* text;
    const char* construct;
  };
  for (const Case& known : std::vector<Case>{
           {"\n\n{{ 1 | nosuch }}",
            "line 3: the chat template uses the filter "
            "'nosuch', which tern does not know"},
           {"{% include 'x' %}", "the tag 'include'"},
           {"{% raw %}{% endraw %}", "the tag 'raw'"},
           {"{{ x is nosuch }}", "the test 'nosuch'"},
           {"{{ 'a'.format(1) }}", "the method 'format' of a string"},
           {"{{ [].append(1) }}", "the method 'append' of a list"},
           {"{{ nosuch(1) }}", "the function 'nosuch'"},
           {"{{ 'a' | trim(x=1) }}", "the argument 'x' of 'trim'"},
           {"{% for x in [1] %}{{ loop.cycle(1) }}{% endfor %}", "loop.cycle"},
           {"{{ 2 ** 3 }}", "the operator '**'"},
           {"{{ '%d' % 3 }}", "'%' after a string"},
           {"{{ 'é' | upper }}", "outside ASCII"},
           {"{{ {1: 2} }}", "a number as the key of a dict"},
           {"{{ f(*[1]) }}", "a call with '*'"},
           {"{{ {'items': 1}.items }}", "'items' of a dict without a call"},
           {"{{ {}.popitem }}", "'popitem' of a dict without a call"},
           {"{% for x in [] recursive %}{% endfor %}", "a recursive loop"}}) {
    SCOPED_TRACE(known.text);
    ExpectError(ErrorCode::kUnsupported,
                {"test.jinja, line ", known.construct, "--chat-template FILE"},
                [&] { (void)RunTemplate(known.text); });
  }
}

TEST(JinjaRefusal, MembersNamedAsMethodsAreFoundByIndex) {
  EXPECT_EQ(RunTemplate("{{ {'items': 5}['items'] }}"
                        "{{ [{'copy': 6}] | map(attribute='copy') | first }}")
                .bytes,
            "56");
}

TEST(JinjaRefusal, WhatHasNoMeaningIsMalformed) {
  for (const char* text : {"{{",
                           "{%",
                           "{#",
                           "{{ }}",
                           "{% if %}x{% endif %}",
                           "{% if 1 %}",
                           "{% for x in y %}",
                           "{% endif %}",
                           "{% else %}",
                           "{{ 'a }}",
                           "{{ 1 + }}",
                           "{{ (1 }}",
                           "{{ 1) }}",
                           "{{ [1 }}",
                           "{{ {1 }}",
                           "{{ a.1b }}",
                           "{{ 'a' 1 }}",
                           "{% set = 1 %}",
                           "{% set loop = 1 %}",
                           "{% break %}",
                           "{{ x[] }}",
                           "{{ 1 if }}",
                           "{{ not }}",
                           "{{ a b }}",
                           "{{ $ }}",
                           "{{ '\\x4' }}",
                           "{{ '\\ud800' }}",
                           "{% macro m( %}{% endmacro %}",
                           "{{ missing.a }}",
                           "{{ 1 + 'a' }}",
                           "{{ 1 // 0 }}",
                           "{{ 'a'[::0] }}",
                           "{{ 9223372036854775807 + 1 }}",
                           "{{ 5 | length }}",
                           "{% set x.y = 1 %}",
                           "{{ 'a'.split('') }}",
                           "{% set a, b = [1] %}"}) {
    SCOPED_TRACE(text);
    ExpectError(ErrorCode::kMalformed, {"test.jinja, line 1: "},
                [&] { (void)RunTemplate(text); });
  }
}

TEST(JinjaRefusal, TheTemplatesOwnIsTold) {
  ExpectError(
      ErrorCode::kInvalidArgument,
      {"line 2: the chat template refuses the conversation: 'no\\x0a!'"},
      [] { (void)RunTemplate("\n{{ raise_exception('no\\n!') }}"); });
}

TEST(JinjaLimits, EveryRunEnds) {
  const std::string loop = "{% for a in range(100000) %}";
  const std::string end = "{% endfor %}";
  for (const std::string& text :
       {loop + loop + end + end, loop + loop + "{{ a }}" + end + end,
        std::string("{{ range(10000000000) | length }}"),
        "{% set ns = namespace(x='ab') %}" + loop +
            "{% set ns.x = ns.x + ns.x %}" + end,
        "{% set ns = namespace(x=[1]) %}" + loop +
            "{% set ns.x = [ns.x, ns.x] %}" + end,
        "{% set ns = namespace(x=[1]) %}" + loop +
            "{% set ns.x = ns.x + ns.x %}" + end,
        "{% set ns = namespace() %}{% set ns.x = [1] %}" +
            std::string("{% for a in range(90) %}{% set ns.x = [ns.x, ns.x] %}"
                        "{% endfor %}{{ ns.x }}"),
        "{% set ns = namespace() %}{% set ns.x = [1] %}" +
            std::string("{% for a in range(90) %}{% set ns.x = [ns.x, ns.x] %}"
                        "{% endfor %}{{ ns.x == [ns.x[0], ns.x[1]] }}"
                        "{{ ns.x | tojson }}"),
        std::string("{{ 'ab' * 9000000000000 }}"),
        std::string("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}"),
        std::string("{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}"),
        loop + "{{ 'a' * 1000 }}" + end}) {
    SCOPED_TRACE(text);
    EXPECT_THROW((void)RunTemplate(text), Error);
  }
}

// Work on a long text counts as many steps: here a tenth of a run's.
TEST(JinjaLimits, RunsOverLongTextsEndSoon) {
  const std::string loop = "{% for a in range(90000) %}";
  const std::string end = "{% endfor %}";
  const std::string spaces = "{% set s = ' ' * 1000000 %}";
  for (const std::string& text :
       {spaces + loop + "{% set t = s | trim %}" + end,
        spaces + loop + "{% set t = s.split() %}" + end,
        "{% set s = 'a' * 300000 %}{% set t = 'a' * 100000 + 'b' %}" + loop +
            "{{ t in s }}" + end,
        "{% set s = 'a' * 300000 %}{% set t = 'a' * 100000 + 'b' %}" + loop +
            "{{ s.find(t) }}{{ s.replace(t, '') }}{{ s.split(t) }}" + end,
        "{% set s = 'a' * 1000000 %}{% set t = 'a' * 1000000 %}" + loop + loop +
            "{{ s < t }}" + end + end}) {
    SCOPED_TRACE(text);
    const auto start = std::chrono::steady_clock::now();
    ExpectError(ErrorCode::kUnsupported, {"more than 400000 steps"}, [&] {
      (void)RunTemplate(text, ordered_json::object(), {.steps = 400000});
    });
    EXPECT_LT(std::chrono::steady_clock::now() - start,
              std::chrono::seconds(10));
  }
}

TEST(JinjaLimits, NestingIsBounded) {
  const auto repeat = [](const std::string& part, int times) {
    std::string text;
    for (int i = 0; i < times; ++i) text += part;
    return text;
  };
  constexpr int kMany = 20000;
  for (const std::string& text :
       {"{{ " + repeat("(", kMany) + "1" + repeat(")", kMany) + " }}",
        "{{ " + repeat("[", kMany) + repeat("]", kMany) + " }}",
        "{{ " + repeat("not ", kMany) + "1 }}",
        "{{ " + repeat("-", kMany) + "1 }}",
        "{{ 1" + repeat(" + 1", kMany) + " }}",
        "{{ x" + repeat(".x", kMany) + " }}",
        "{{ x" + repeat(" | trim", kMany) + " }}",
        "{{ x" + repeat("[0]", kMany) + " }}",
        "{{ " + repeat("1 if 1 else ", kMany) + "1 }}",
        "{{ 1" + repeat(" if 1", kMany) + " }}",
        "{{ " + repeat("{'a': ", kMany) + "1" + repeat("}", kMany) + " }}",
        repeat("{% if 1 %}", kMany) + repeat("{% endif %}", kMany)}) {
    SCOPED_TRACE(text.substr(0, 40));
    EXPECT_THROW((void)RunTemplate(text), Error);
  }
}

TEST(JinjaLimits, OutputIsBounded) {
  ExpectError(ErrorCode::kUnsupported, {"writes more than 100 bytes"}, [] {
    (void)RunTemplate("{% for a in range(50) %}12345{% endfor %}",
                      ordered_json::object(), {.output_bytes = 100});
  });
}

// A template cut or changed anywhere either runs or is refused with an Error.
TEST(JinjaDamage, NeverCrashes) {
  const std::string folder =
      (testing::GoldenDir() / "chat" / "templates").string();
  std::mt19937 random(7);
  const ordered_json variables = {
      {"messages", {{{"role", "user"}, {"content", "hi"}}}},
      {"bos_token", "<s>"},
      {"add_generation_prompt", true}};
  const std::string palette = "{}%#()[]'\"|.,:-+~ \n\\ix0=\xc3\x80";
  int refused = 0;
  const auto run = [&](const std::string& text) {
    try {
      (void)RunTemplate(text, variables, {.steps = 20000});
    } catch (const Error&) {
      ++refused;
    }
  };
  for (const char* name : {"chatml_tools_thinking", "llama3_tools", "macros"}) {
    const std::string whole = ReadFile(folder + "/" + name + ".jinja");
    ASSERT_FALSE(whole.empty());
    for (std::size_t cut = 0; cut < whole.size(); cut += 3) {
      run(whole.substr(0, cut));
      run(whole.substr(cut));
    }
    for (int i = 0; i < 1500; ++i) {
      std::string text = whole;
      for (int edits = 0; edits < 3; ++edits) {
        text[random() % text.size()] = palette[random() % palette.size()];
      }
      run(text);
    }
  }
  EXPECT_GT(refused, 1000);
}

}  // namespace
}  // namespace tern::jinja
