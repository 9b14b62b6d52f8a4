// A chat in one session: special tokens, and a context that is kept from turn
// to turn.
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <tern/chat.h>
#include <tern/error.h>
#include <tern/model.h>
#include <tern/session.h>

#include "tests/support/expect_error.h"
#include "tests/support/golden.h"

namespace tern {
namespace {

const std::filesystem::path& ModelPath() {
  static const std::filesystem::path path =
      testing::SourceDir() / "models" / "books-79m.gguf";
  return path;
}

std::shared_ptr<const Model> SharedModel() {
  static const std::shared_ptr<const Model> model = Model::Load(ModelPath());
  return model;
}

const Tokenizer& SharedTokenizer() { return SharedModel()->tokenizer(); }

Token TokenOf(const std::string& name) {
  return SharedTokenizer()
      .Encode(name, {.add_bos = false, .parse_special = true})
      .at(0);
}

RenderedChat Marked(const std::string& text, const std::string& typed) {
  const std::size_t at = text.find(typed);
  std::string mask(text.size(), '1');
  std::fill_n(mask.begin() + static_cast<std::ptrdiff_t>(at), typed.size(),
              '0');
  return {text, mask};
}

std::ptrdiff_t Count(const std::vector<Token>& tokens, Token token) {
  return std::count(tokens.begin(), tokens.end(), token);
}

TEST(EncodeChat, OnlyTheTemplatesNamesAreSpecialTokens) {
  const Token end = TokenOf("<|eot_id|>");
  const RenderedChat chat =
      Marked("User: say <|eot_id|> now<|eot_id|>", "say <|eot_id|> now");
  const std::vector<Token> tokens = EncodeChat(chat, SharedTokenizer());
  EXPECT_EQ(Count(tokens, end), 1);
  EXPECT_EQ(tokens.back(), end);
  EXPECT_EQ(tokens.front(), *SharedTokenizer().bos());
  EXPECT_EQ(SharedTokenizer().Decode(tokens), "<|begin_of_text|>" + chat.text);
}

TEST(EncodeChat, NamesThatTheUserFinishesAreText) {
  const Token end = TokenOf("<|eot_id|>");
  for (const char* typed : {"<", "eot_id", "|>", "<|eot_id|"}) {
    const RenderedChat chat = Marked("a <|eot_id|> b", typed);
    EXPECT_EQ(Count(EncodeChat(chat, SharedTokenizer()), end), 0) << typed;
  }
}

TEST(EncodeChat, IsTheTokenizersWorkWhereNobodyTyped) {
  const std::string text =
      "<|begin_of_text|>System: Be kind.<|eot_id|>User: "
      "Hi<|eot_id|>Assistant: ";
  const RenderedChat chat{text, std::string(text.size(), '1')};
  EXPECT_EQ(EncodeChat(chat, SharedTokenizer()),
            SharedTokenizer().Encode(text, {.parse_special = true}));
  EXPECT_EQ(EncodeChat({"", ""}, SharedTokenizer()),
            std::vector<Token>{*SharedTokenizer().bos()});
}

std::vector<float> LogitsOf(Session& session) {
  const auto logits = session.Logits();
  return {logits.begin(), logits.end()};
}

TEST(Chat, ThreeTurnsInOneContextEqualOneReading) {
  Session session(SharedModel(), {.context_length = 256, .num_threads = 2});
  Chat chat(ChatTemplate::Load(ModelPath()), SharedTokenizer());
  const std::vector<std::string> questions = {"Who are you?", "And then?",
                                              "<|eot_id|> Why?"};
  Sampler sampler({.temperature = 0});
  std::size_t read = 0;
  for (const std::string& question : questions) {
    chat.Add("user", question);
    const std::vector<Token> more = chat.Prepare(session);
    read += more.size();
    session.Append(more);
    Session fresh(SharedModel(), {.context_length = 256, .num_threads = 1});
    fresh.Append(chat.Prepare(fresh));
    EXPECT_TRUE(std::equal(fresh.tokens().begin(), fresh.tokens().end(),
                           session.tokens().begin(), session.tokens().end()));
    EXPECT_EQ(LogitsOf(session), LogitsOf(fresh)) << question;
    std::string answer;
    for (int i = 0; i < 8; ++i) {
      const Token token = session.Next(sampler);
      if (SharedTokenizer().IsEndOfText(token)) break;
      answer += SharedTokenizer().Decode(token);
    }
    chat.Add("assistant", answer);
  }
  // The context was kept: far less was read than three times from the start.
  EXPECT_LT(read, session.tokens().size());
}

TEST(Chat, SameConversationAgainReadsOneToken) {
  Session session(SharedModel(), {.context_length = 64});
  Chat chat(ChatTemplate::Load(ModelPath()), SharedTokenizer());
  chat.Add("user", "Hello");
  session.Append(chat.Prepare(session));
  const std::vector<float> first = LogitsOf(session);
  const std::vector<Token> again = chat.Prepare(session);
  EXPECT_EQ(again.size(), 1U);
  session.Append(again);
  EXPECT_EQ(LogitsOf(session), first);
}

TEST(Chat, ClearForgetsTheConversationButNotTheSession) {
  Session session(SharedModel(), {.context_length = 64});
  Chat chat(ChatTemplate::Load(ModelPath()), SharedTokenizer());
  chat.Add("user", "Hello");
  session.Append(chat.Prepare(session));
  chat.Clear();
  EXPECT_TRUE(chat.messages().empty());
  chat.Add("user", "Goodbye");
  const std::vector<Token> tokens = chat.Prepare(session);
  EXPECT_GT(session.tokens().size(), 1U);  // "<|begin_of_text|>User: " is kept
  session.Append(tokens);
  EXPECT_EQ(SharedTokenizer().Decode(session.tokens()),
            "<|begin_of_text|>User: Goodbye<|eot_id|>Assistant: ");
}

TEST(Chat, TemplateThatLosesTheMessagesIsRefused) {
  Session session(SharedModel(), {.context_length = 64});
  const auto prepare = [&](const char* text, const char* message) {
    Chat chat(ChatTemplate(text, {}, "lost.jinja"), SharedTokenizer());
    chat.Add("user", message);
    return chat.Prepare(session);
  };
  constexpr const char* kLost =
      "{% for m in messages %}{{ m.role }}: {{ m.text }}{% endfor %}";
  ExpectError(ErrorCode::kInvalidArgument,
              {"lost.jinja: ", "writes nothing of the messages"},
              [&] { (void)prepare(kLost, "Hi"); });
  EXPECT_FALSE(prepare(kLost, " \n").empty());
  EXPECT_FALSE(prepare("{{ messages[0].content }}", "Hi").empty());
}

TEST(Chat, FullContextIsToldBeforeAnythingIsForgotten) {
  Session session(SharedModel(), {.context_length = 16});
  Chat chat(ChatTemplate::Load(ModelPath()), SharedTokenizer());
  chat.Add("user", "Hi");
  session.Append(chat.Prepare(session));
  const std::size_t held = session.tokens().size();
  chat.Add("assistant", "A long answer that goes on and on and on and on");
  chat.Add("user", "More");
  ExpectError(ErrorCode::kContextFull, {"conversation: has ", "context of 16"},
              [&] { (void)chat.Prepare(session); });
  EXPECT_EQ(session.tokens().size(), held);
}

}  // namespace
}  // namespace tern
