#include <array>
#include <ctime>
#include <utility>

#include <tern/chat.h>
#include <tern/error.h>

#include "runtime/chat/find_template.h"
#include "runtime/chat/jinja/template.h"
#include "runtime/files/input_file.h"
#include "runtime/files/quote.h"

namespace tern {

class ChatTemplate::Impl {
 public:
  Impl(std::string_view text, TemplateTokens names, const std::string& source)
      : code(text, source), tokens(std::move(names)), place(source) {}

  jinja::Template code;
  TemplateTokens tokens;
  std::string place;
  std::string description = "given";
};

namespace {

using jinja::kFromCaller;
using jinja::kFromTemplate;
using jinja::MarkedText;

void CheckRole(const std::string& role) {
  if (role == "system" || role == "user" || role == "assistant") return;
  throw Error(ErrorCode::kInvalidArgument,
              "message: role " + files::Quote(role) +
                  " is not known; use system, user or assistant");
}

jinja::Value MessageList(std::span<const ChatMessage> messages,
                         jinja::Budget& budget) {
  jinja::Values list;
  for (const ChatMessage& message : messages) {
    CheckRole(message.role);
    jinja::Members members;
    // A role is one of three words, so it counts as the template's: some are
    // part of a special token, such as <|user|>.
    members.emplace_back(
        MarkedText::Of("role", kFromTemplate),
        jinja::MakeText(MarkedText::Of(message.role, kFromTemplate), budget));
    members.emplace_back(
        MarkedText::Of("content", kFromTemplate),
        jinja::MakeText(MarkedText::Of(message.content, kFromCaller), budget));
    list.push_back(jinja::MakeDict(std::move(members), budget));
  }
  return jinja::MakeList(std::move(list), budget);
}

jinja::Members Variables(std::span<const ChatMessage> messages,
                         const TemplateTokens& tokens,
                         const RenderOptions& options, jinja::Budget& budget) {
  jinja::Members variables;
  const auto add = [&](std::string_view name, jinja::Value value) {
    variables.emplace_back(MarkedText::Of(name, kFromTemplate),
                           std::move(value));
  };
  const auto add_token = [&](std::string_view name, const std::string& text) {
    if (text.empty()) return;
    add(name, jinja::MakeText(MarkedText::Of(text, kFromTemplate), budget));
  };
  add("messages", MessageList(messages, budget));
  add("add_generation_prompt", options.add_generation_prompt);
  if (options.enable_thinking.has_value()) {
    add("enable_thinking", *options.enable_thinking);
  }
  add_token("bos_token", tokens.bos);
  add_token("eos_token", tokens.eos);
  return variables;
}

// `format` was checked by the interpreter.
std::string TimeText(std::chrono::system_clock::time_point time,
                     const std::string& format) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm fields{};
  localtime_r(&seconds, &fields);
  std::array<char, 512> buffer{};
  const std::size_t size =
      std::strftime(buffer.data(), buffer.size(), format.c_str(), &fields);
  return {buffer.data(), size};
}

std::shared_ptr<ChatTemplate::Impl> MakeImpl(const chat::FoundTemplate& found,
                                             const std::string& text) {
  auto impl =
      std::make_shared<ChatTemplate::Impl>(text, found.tokens, found.place);
  impl->description = found.description;
  return impl;
}

}  // namespace

ChatTemplate::ChatTemplate(std::string_view text, TemplateTokens tokens,
                           const std::string& place)
    : impl_(std::make_shared<const Impl>(text, std::move(tokens), place)) {}

ChatTemplate::ChatTemplate(std::shared_ptr<const Impl> impl)
    : impl_(std::move(impl)) {}

ChatTemplate ChatTemplate::Load(const std::filesystem::path& model) {
  const chat::FoundTemplate found = chat::FindTemplate(model);
  if (!found.text.has_value()) {
    throw Error(ErrorCode::kNotFound,
                found.place + ": chat template: " + found.description +
                    ", so this is a base model; use tern run, or give a "
                    "template with --chat-template FILE");
  }
  return ChatTemplate(
      std::shared_ptr<const Impl>(MakeImpl(found, *found.text)));
}

ChatTemplate ChatTemplate::Load(const std::filesystem::path& model,
                                const std::filesystem::path& file) {
  chat::FoundTemplate found = chat::FindTemplate(model);
  const std::string text = files::ReadTextFile(file, jinja::kMaxTemplateBytes);
  found.place = file.string();
  found.description = "from " + file.filename().string();
  return ChatTemplate(std::shared_ptr<const Impl>(MakeImpl(found, text)));
}

RenderedChat ChatTemplate::Render(std::span<const ChatMessage> messages,
                                  const RenderOptions& options) const {
  const jinja::Clock clock = [&options](const std::string& format) {
    return TimeText(options.now.value_or(std::chrono::system_clock::now()),
                    format);
  };
  const auto variables = [&](jinja::Budget& budget) {
    return Variables(messages, impl_->tokens, options, budget);
  };
  MarkedText out = impl_->code.Run(variables, clock);
  return {.text = std::move(out.bytes), .mask = std::move(out.mask)};
}

const std::string& ChatTemplate::Describe() const { return impl_->description; }

const std::string& ChatTemplate::Place() const { return impl_->place; }

std::string DescribeChatTemplate(const std::filesystem::path& model) {
  try {
    const chat::FoundTemplate found = chat::FindTemplate(model);
    if (found.text.has_value()) (void)MakeImpl(found, *found.text);
    return found.description;
  } catch (const Error& error) {
    return error.what();
  }
}

}  // namespace tern
