// Which template a model gets, and what a conversation becomes.
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <tern/chat.h>
#include <tern/error.h>

#include "runtime/chat/builtin_templates.h"
#include "runtime/files/gguf_writer.h"
#include "tests/runtime/chat/run_template.h"
#include "tests/support/expect_error.h"
#include "tests/support/golden.h"
#include "tests/support/temporary_directory.h"

namespace tern {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using Messages = std::vector<ChatMessage>;

const Messages kGreeting = {{"system", "Be kind. "},
                            {"user", " Hi <|eot_id|>"}};
constexpr const char* kPlaceholder =
    "{% for message in messages %}{{ 'Human: ' + message['content'] + "
    "'\\n\\nBITNETAssistant: ' + eos_token }}{% endfor %}";
constexpr const char* kPlain =
    "{% for m in messages %}[{{ m.role }}|{{ m.content }}]{% endfor %}";

// A GGUF file of a vocabulary and a template, if there is one.
void WriteGguf(const fs::path& path, const std::string& architecture,
               const std::string& chat_template,
               std::vector<std::string> tokens = {"a", "<s>", "</s>"}) {
  files::GgufMetadata metadata = {
      {"general.architecture", architecture},
      {"tokenizer.ggml.tokens", std::move(tokens)},
      {"tokenizer.ggml.bos_token_id", std::uint64_t{1}},
      {"tokenizer.ggml.eos_token_id", std::uint64_t{2}}};
  if (!chat_template.empty()) {
    metadata.emplace_back("tokenizer.chat_template", chat_template);
  }
  files::GgufWriter writer(path, true, metadata, {});
  writer.Finish();
}

const std::vector<std::string> kLlama3Tokens = {
    "a", "<|begin_of_text|>", "<|eot_id|>", "<|start_header_id|>",
    "<|end_header_id|>"};

std::string TextOf(const ChatTemplate& chat_template,
                   const Messages& messages = kGreeting,
                   const RenderOptions& options = {}) {
  return chat_template.Render(messages, options).text;
}

TEST(ChatTemplate, ShippedModelHasItsOwn) {
  const fs::path path = testing::SourceDir() / "models" / "books-79m.gguf";
  const ChatTemplate own = ChatTemplate::Load(path);
  EXPECT_EQ(own.Describe(), "the file's own");
  EXPECT_EQ(DescribeChatTemplate(path), "the file's own");
  EXPECT_EQ(TextOf(own),
            "<|begin_of_text|>System: Be kind.<|eot_id|>User: Hi "
            "<|eot_id|><|eot_id|>Assistant: ");
}

TEST(ChatTemplate, MaskTellsTheTemplatesBytesFromTheUsers) {
  const ChatTemplate own =
      ChatTemplate::Load(testing::SourceDir() / "models" / "books-79m.gguf");
  const RenderedChat chat = own.Render(Messages{{"user", " <|eot_id|>"}});
  EXPECT_EQ(chat.text,
            "<|begin_of_text|>User: <|eot_id|><|eot_id|>Assistant: ");
  EXPECT_EQ(chat.mask, std::string(17, '1') + "111111" + std::string(10, '0') +
                           std::string(10, '1') + std::string(11, '1'));
}

TEST(ChatTemplate, PlaceholderOf2B4TIsReplaced) {
  const TemporaryDirectory folder;
  const fs::path path = folder / "model.gguf";
  WriteGguf(path, "bitnet-b1.58", kPlaceholder);
  EXPECT_EQ(DescribeChatTemplate(path),
            "2B4T (built in; the file has a placeholder)");
  EXPECT_EQ(TextOf(ChatTemplate::Load(path)),
            "<s>System: Be kind.<|eot_id|>User: Hi <|eot_id|><|eot_id|>"
            "Assistant: ");
  EXPECT_EQ(TextOf(ChatTemplate::Load(path), kGreeting,
                   {.add_generation_prompt = false}),
            "<s>System: Be kind.<|eot_id|>User: Hi <|eot_id|><|eot_id|>");
  // In another architecture it is nobody's.
  WriteGguf(path, "llama", kPlaceholder);
  EXPECT_EQ(DescribeChatTemplate(path), "the file's own");
}

TEST(ChatTemplate, Llama3VocabularyWithoutOneGetsTheHeaders) {
  const TemporaryDirectory folder;
  const fs::path path = folder / "model.gguf";
  WriteGguf(path, "llama", "", kLlama3Tokens);
  EXPECT_EQ(DescribeChatTemplate(path),
            "Llama 3 (built in; the file has none)");
  EXPECT_EQ(TextOf(ChatTemplate::Load(path), {{"user", "Hi "}}),
            "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nHi"
            "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n");
  // 2B4T has the same vocabulary.
  WriteGguf(path, "bitnet-b1.58", "", kLlama3Tokens);
  EXPECT_EQ(DescribeChatTemplate(path), "2B4T (built in; the file has none)");
}

TEST(ChatTemplate, BaseModelsAreRefusedWithAdvice) {
  const TemporaryDirectory folder;
  const fs::path path = folder / "model.gguf";
  WriteGguf(path, "bitnet-b1.58", "");
  EXPECT_EQ(DescribeChatTemplate(path), "none");
  ExpectError(ErrorCode::kNotFound, {"model.gguf: ", "tern run"},
              [&] { (void)ChatTemplate::Load(path); });
  ExpectError(ErrorCode::kNotFound, {"tern run"},
              [&] { (void)ChatTemplate::Load(folder.path()); });
}

TEST(ChatTemplate, DirectoriesHoldThemInThreeForms) {
  const TemporaryDirectory folder;
  const auto write_config = [&](const json& chat_template) {
    WriteFile(folder / "tokenizer_config.json",
              json{{"bos_token", {{"content", "<B>"}}},
                   {"eos_token", "<E>"},
                   {"chat_template", chat_template}}
                  .dump());
  };
  write_config("{{ bos_token }}{{ eos_token }}string");
  EXPECT_EQ(TextOf(ChatTemplate::Load(folder.path())), "<B><E>string");
  const json rag = {{"name", "rag"}, {"template", "wrong"}};
  write_config(json::array({rag, {{"name", "default"}, {"template", "list"}}}));
  EXPECT_EQ(TextOf(ChatTemplate::Load(folder.path())), "list");
  // A path into the directory means the same.
  WriteFile(folder / "model.safetensors", "");
  EXPECT_EQ(TextOf(ChatTemplate::Load(folder / "model.safetensors")), "list");
  WriteFile(folder / "chat_template.jinja", "file {{ bos_token }}");
  EXPECT_EQ(TextOf(ChatTemplate::Load(folder.path())), "file <B>");
  fs::remove(folder / "chat_template.jinja");
  write_config(json::array({rag}));
  EXPECT_EQ(DescribeChatTemplate(folder.path()), "none for a chat, only 'rag'");
}

TEST(ChatTemplate, DirectoryOfABitnetModelWithAPlaceholderIs2B4T) {
  const TemporaryDirectory folder;
  WriteFile(folder / "config.json",
            json{{"model_type", "bitnet"}, {"hidden_act", "relu2"}}.dump());
  WriteFile(folder / "tokenizer_config.json",
            json{{"chat_template", kPlaceholder}}.dump());
  EXPECT_EQ(TextOf(ChatTemplate::Load(folder.path()), {{"user", "x"}}),
            "<|begin_of_text|>User: x<|eot_id|>Assistant: ");
}

TEST(ChatTemplate, AnotherFileTakesItsPlaceWithTheModelsTokens) {
  const TemporaryDirectory folder;
  WriteGguf(folder / "model.gguf", "bitnet-b1.58", kPlaceholder);
  WriteFile(folder / "own.jinja", "{{ bos_token }}mine");
  const ChatTemplate given =
      ChatTemplate::Load(folder / "model.gguf", folder / "own.jinja");
  EXPECT_EQ(given.Describe(), "from own.jinja");
  EXPECT_EQ(TextOf(given), "<s>mine");
  WriteFile(folder / "own.jinja", "\n{% nosuch %}");
  ExpectError(ErrorCode::kUnsupported,
              {"own.jinja, line 2: ", "the tag 'nosuch'"}, [&] {
                (void)ChatTemplate::Load(folder / "model.gguf",
                                         folder / "own.jinja");
              });
}

// Templates of the same two formats, written apart from the built-in ones, as
// Jinja2 renders them.
TEST(ChatTemplate, BuiltInOnesGiveWhatJinja2GivesOfTheirFormats) {
  const json golden =
      json::parse(ReadFile(testing::GoldenDir() / "chat" / "rendered.json"));
  const std::map<std::string, const char*> built_in = {
      {"2b4t.jinja", chat::kTemplate2B4T},
      {"llama3.jinja", chat::kTemplateLlama3}};
  int compared = 0;
  for (const json& known : golden["rendered"]) {
    const auto found = built_in.find(known["template"]);
    if (found == built_in.end()) continue;
    const std::string conversation = known["conversation"];
    // Without a message 2B4T's begins with no token, as published.
    if (conversation == "nothing" && found->first == "2b4t.jinja") continue;
    nlohmann::ordered_json variables = golden["common"];
    variables.update(golden["conversations"][conversation]);
    EXPECT_EQ(jinja::RunTemplate(found->second, variables).bytes, known["text"])
        << found->first << ", " << conversation;
    ++compared;
  }
  EXPECT_EQ(compared, 29);
}

TEST(ChatTemplate, RefusesOtherRoles) {
  const ChatTemplate plain(kPlain, {});
  EXPECT_EQ(TextOf(plain, {{"user", "a"}, {"assistant", "b"}}),
            "[user|a][assistant|b]");
  ExpectError(ErrorCode::kInvalidArgument, {"role 'tool'"}, [&] {
    (void)plain.Render(Messages{{"tool", "x"}});
  });
}

TEST(ChatTemplate, SwitchesAndDateReachIt) {
  const ChatTemplate thinking(
      "{{ enable_thinking is defined }}{{ enable_thinking }}", {});
  EXPECT_EQ(TextOf(thinking), "False");
  EXPECT_EQ(TextOf(thinking, {}, {.enable_thinking = false}), "TrueFalse");
  // 2024-07-26 12:00 in London, the same day in every time zone but two.
  const auto noon = std::chrono::system_clock::from_time_t(1721995200);
  EXPECT_EQ(TextOf(ChatTemplate("{{ strftime_now('%Y-%m') }}", {}), {},
                   {.now = noon}),
            "2024-07");
  ExpectError(ErrorCode::kUnsupported, {"the time format '%Q'"}, [] {
    (void)TextOf(ChatTemplate("{{ strftime_now('%Q') }}", {}));
  });
}

}  // namespace
}  // namespace tern
