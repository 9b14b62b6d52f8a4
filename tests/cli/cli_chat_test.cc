// `tern chat` on the model that ships, as a script or a person sees it.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <string>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/subprocess.h"
#include "tests/support/temporary_directory.h"

namespace tern {
namespace {

using nlohmann::json;
using testing::ProgramResult;
using testing::ProgramRun;
using testing::RunProgram;
using Words = std::vector<std::string>;

const char* const kModel = TERN_SOURCE_DIR "/models/books-79m.gguf";

ProgramResult Chat(const std::string& input, const Words& more = {},
                   ProgramRun run = {}) {
  Words words = {"chat", "-m", kModel, "--temp", "0"};
  words.insert(words.end(), more.begin(), more.end());
  if (std::find(more.begin(), more.end(), "-n") == more.end()) {
    words.insert(words.end(), {"-n", "6"});
  }
  run.input = input;
  return RunProgram(TERN_PROGRAM, words, run);
}

json ChatJson(const std::string& input, Words more = {}) {
  more.emplace_back("--json");
  const ProgramResult result = Chat(input, more);
  EXPECT_EQ(result.status, 0) << result.err;
  return json::parse(result.out);
}

bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(Chat, AnswersEachLineOfAPipe) {
  const ProgramResult plain = Chat("Hello\n\nAnd then?\n");
  const json result = ChatJson("Hello\n\nAnd then?");
  ASSERT_EQ(result["turns"].size(), 2U);
  std::string text;
  for (const json& turn : result["turns"]) {
    text += turn["text"].get<std::string>() + "\n";
    EXPECT_EQ(turn["stopped_by"], "length");
    EXPECT_EQ(turn["generated_tokens"], 6);
  }
  EXPECT_EQ(plain.status, 0);
  EXPECT_EQ(plain.out, text);
  EXPECT_TRUE(Contains(plain.err, "chat template: the file's own"));
  EXPECT_FALSE(Contains(plain.out + plain.err, "\033"));
}

TEST(Chat, KeepsHistoryAndContext) {
  const json turns = ChatJson("Hello\nHello\n")["turns"];
  EXPECT_EQ(turns[0]["reused_tokens"], 0);
  // The first question and most of its answer.
  EXPECT_GE(turns[1]["reused_tokens"], turns[0]["prompt_tokens"]);
  const json messages = ChatJson("One\nTwo\n", {"--system", "Be brief."});
  ASSERT_EQ(messages["messages"].size(), 5U);
  EXPECT_EQ(messages["messages"][0]["role"], "system");
  EXPECT_EQ(messages["messages"][3]["content"], "Two");
}

TEST(Chat, ResetBeginsANewConversation) {
  const json result =
      ChatJson("Hello\n/reset\nHello\n", {"--system", "Be brief."});
  EXPECT_EQ(result["messages"].size(), 3U);
  EXPECT_EQ(result["turns"][0]["text"], result["turns"][1]["text"]);
  EXPECT_EQ(result["turns"][1]["prompt_tokens"], 1);
}

TEST(Chat, SavesTheConversation) {
  const TemporaryDirectory folder;
  const std::string path = (folder / "chat").string();
  const ProgramResult result =
      Chat("Hello *you*\n/save " + path + ".json\n/save " + path + ".md\n");
  EXPECT_EQ(result.status, 0) << result.err;
  const json saved = json::parse(ReadFile(folder / "chat.json"));
  EXPECT_EQ(saved["messages"][0]["content"], "Hello *you*");
  const std::string answer = saved["messages"][1]["content"];
  EXPECT_EQ(result.out, answer + "\n");
  EXPECT_EQ(ReadFile(folder / "chat.md"),
            "**user**\n\nHello *you*\n\n**assistant**\n\n" + answer + "\n\n");
  EXPECT_EQ(Chat("/save /nonexistent/x\n").status, 1);
}

TEST(Chat, SaveOverwritesNothing) {
  const TemporaryDirectory folder;
  WriteFile(folder / "model.gguf", "precious");
  const std::string path = (folder / "model.gguf").string();
  const ProgramResult result = Chat("/save " + path + "\n");
  EXPECT_EQ(result.status, 1);
  EXPECT_TRUE(Contains(result.err, path + ": exists already; choose another"))
      << result.err;
  EXPECT_EQ(ReadFile(folder / "model.gguf"), "precious");
  for (const char* nameless : {"/save\n", "/save  \n"}) {
    const ProgramResult told = Chat(nameless);
    EXPECT_EQ(told.status, 0);
    EXPECT_TRUE(Contains(told.err, "/save: give a file name")) << told.err;
  }
}

TEST(Chat, BlankLinesAreNoMessages) {
  const ProgramResult result = Chat("Hello\n \t \n\n");
  EXPECT_EQ(result.status, 0);
  EXPECT_TRUE(Contains(result.err, "1 answer, ")) << result.err;
}

TEST(Chat, CommandsAreNotMessages) {
  const ProgramResult result = Chat("/help\n/nosuch\n/exit\nHello\n");
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.out, "");
  EXPECT_TRUE(Contains(result.err, "/reset")) << result.err;
  EXPECT_TRUE(Contains(result.err, "'/nosuch': no such command"));
  EXPECT_EQ(ChatJson("//help\n")["messages"][0]["content"], "/help");
}

TEST(Chat, SpecialTokensThatAUserTypesAreText) {
  const json plain = ChatJson("a\n");
  const json typed = ChatJson("a<|eot_id|>\n");
  // Not one token more, as the control token would be.
  EXPECT_GT(typed["turns"][0]["prompt_tokens"].get<int>(),
            plain["turns"][0]["prompt_tokens"].get<int>() + 2);
}

TEST(Chat, TakesAnotherTemplate) {
  const TemporaryDirectory folder;
  WriteFile(folder / "t.jinja", "{{ messages[-1].content }} again");
  const Words words = {"--chat-template", (folder / "t.jinja").string()};
  EXPECT_TRUE(Contains(Chat("Hi\n", words).err, "from t.jinja"));
  WriteFile(folder / "t.jinja", "{{ x | nosuch }}");
  const ProgramResult refused = Chat("Hi\n", words);
  EXPECT_EQ(refused.status, 1);
  EXPECT_TRUE(Contains(refused.err, "t.jinja, line 1: ")) << refused.err;
  EXPECT_TRUE(Contains(refused.err, "the filter 'nosuch'")) << refused.err;
  EXPECT_EQ(Chat("Hi\n", {"--chat-template", ""}).status, 2);
}

TEST(Chat, FullContextIsToldWithAdvice) {
  const ProgramResult full = Chat("Hello there, who are you?\n", {"-c", "8"});
  EXPECT_EQ(full.status, 1);
  EXPECT_TRUE(Contains(full.err, "context of 8")) << full.err;
  const ProgramResult cut = Chat("Hi\n", {"-c", "24", "-n", "100"});
  EXPECT_EQ(cut.status, 0) << cut.err;
  EXPECT_TRUE(Contains(cut.err, "the context is full")) << cut.err;
  EXPECT_TRUE(Contains(cut.err, "larger --ctx")) << cut.err;
}

TEST(Chat, InterruptStopsTheAnswerNotTheProgram) {
  // The first SIGINT comes during the first answer; the second question is
  // answered all the same.
  const ProgramResult result =
      Chat("Hello\nAnd then?\n", {"-n", "40", "--repeat-penalty", "1.5"},
           {.on_first_output = [](int pid) { kill(pid, SIGINT); }});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_TRUE(Contains(result.err, "2 answers")) << result.err;
}

// A pipe that stays open, so that the program waits for the next line.
TEST(Chat, InterruptAtThePromptEndsWithTheReport) {
  const TemporaryDirectory folder;
  const std::string path = (folder / "input").string();
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  const int input = open(path.c_str(), O_RDWR);
  ASSERT_GE(input, 0);
  ASSERT_EQ(write(input, "Hello\n", 6), 6);
  const auto end = [](int pid) {
    std::this_thread::sleep_for(std::chrono::seconds(1));  // to the prompt
    kill(pid, SIGINT);
  };
  const Words words = {"-c",         "exec \"$0\" \"$@\" < '" + path + "'",
                       TERN_PROGRAM, "chat",
                       "-m",         kModel,
                       "-n",         "1"};
  const ProgramResult result =
      RunProgram("/bin/sh", words, {.on_first_output = end});
  close(input);
  EXPECT_EQ(result.status, 130);
  EXPECT_TRUE(Contains(result.err, "1 answer, ")) << result.err;
}

TEST(Chat, WrongUsageNamesTheOption) {
  EXPECT_TRUE(Contains(Chat("", {"--thinking", "maybe"}).err, "--thinking"));
  EXPECT_TRUE(Contains(Chat("", {"-n", "0"}).err, "--max-tokens"));
  EXPECT_EQ(Chat("", {"--stop", ""}).status, 2);
}

}  // namespace
}  // namespace tern
