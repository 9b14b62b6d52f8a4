// The texts of a request: the model's name, inputs, messages.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "cli/serve/api_error.h"
#include "cli/serve/completion_request.h"

namespace tern::cli::serve {
namespace {

constexpr std::size_t kMaxInputs = 2048;
// The name of a special token in a user's text must stay text.
constexpr EncodeOptions kPlainText = {.add_bos = true, .parse_special = false};

ApiError BadInput(const std::string& name) {
  return BadParameter(name,
                      "is not a string, an array of strings, an array of token "
                      "ids or an array of such arrays",
                      "invalid_type");
}

std::vector<Token> ParseIds(const Json& array, const std::string& name,
                            const Context& context) {
  const std::size_t size = context.tokenizer().vocab_size();
  std::vector<Token> ids;
  for (const Json& item : array) {
    if (!item.is_number_unsigned()) throw BadInput(name);
    const auto id = item.get<std::uint64_t>();
    if (id >= size) {
      throw BadParameter(name, "has the token id " + std::to_string(id) +
                                   ", which is not below " +
                                   std::to_string(size));
    }
    ids.push_back(static_cast<Token>(id));
  }
  return ids;
}

std::vector<Token> ParseInput(const Json& value, const std::string& name,
                              const Context& context) {
  if (value.is_array()) return ParseIds(value, name, context);
  if (!value.is_string()) throw BadInput(name);
  try {
    return context.tokenizer().Encode(value.get_ref<const std::string&>(),
                                      kPlainText);
  } catch (const Error& error) {
    throw ToApiError(error, name);
  }
}

// A string, or the texts of parts of type "text".
std::string ParseContent(const Json& content, const std::string& name) {
  if (content.is_string()) return content.get<std::string>();
  if (!content.is_array()) {
    throw BadParameter(name, "is neither a string nor an array of parts",
                       "invalid_type");
  }
  std::string text;
  for (std::size_t i = 0; i < content.size(); ++i) {
    const std::string place = name + "[" + std::to_string(i) + "]";
    if (!content[i].is_object()) {
      throw BadParameter(place, "is not an object", "invalid_type");
    }
    RequestFields part(content[i], place + ".");
    if (part.String("type") != "text") {
      throw BadParameter(place + ".type",
                         "is not text, which is all that this "
                         "model reads",
                         "unsupported_parameter");
    }
    text += part.String("text").value_or("");
    part.RefuseUnknown();
  }
  return text;
}

ChatMessage ParseMessage(const Json& message, const std::string& name) {
  if (!message.is_object()) {
    throw BadParameter(name, "is not an object", "invalid_type");
  }
  RequestFields fields(message, name + ".");
  std::string role = fields.String("role").value_or("");
  if (role == "developer") role = "system";  // its newer name
  if (role != "system" && role != "user" && role != "assistant") {
    throw BadParameter(name + ".role", "is not system, user or assistant");
  }
  const Json* content = fields.Find("content");
  if (content == nullptr) {
    throw BadParameter(name + ".content", "is missing",
                       "missing_required_parameter");
  }
  std::string text = ParseContent(*content, name + ".content");
  fields.Refuse({"name", "tool_calls", "function_call", "tool_call_id", "audio",
                 "refusal"});
  // What our own answers carry, and clients send back.
  fields.Accept({"annotations"});
  fields.RefuseUnknown();
  return {std::move(role), std::move(text)};
}

}  // namespace

void CheckModel(RequestFields& fields, const Context& context) {
  const auto model = fields.String("model");
  if (!model) return;
  const auto& names = context.model_names;
  if (std::find(names.begin(), names.end(), *model) != names.end()) return;
  throw ApiError(404,
                 "the model '" + model->substr(0, 200) +
                     "' does not exist here; this server has '" + names[0] +
                     "'",
                 "model", "model_not_found");
}

std::vector<std::vector<Token>> ParseInputs(const Json& value,
                                            const std::string& name,
                                            const Context& context) {
  const bool is_list = value.is_array() && !value.empty() &&
                       (value[0].is_string() || value[0].is_array());
  if (!is_list) return {ParseInput(value, name, context)};
  if (value.size() > kMaxInputs) {
    throw BadParameter(
        name, "has more than " + std::to_string(kMaxInputs) + " texts");
  }
  std::vector<std::vector<Token>> inputs;
  for (const Json& item : value) {
    inputs.push_back(ParseInput(item, name, context));
  }
  return inputs;
}

std::vector<Token> ParseMessages(const Json& messages, const Context& context,
                                 std::optional<bool> thinking) {
  if (!context.chat_template) {
    throw ApiError(400,
                   "this model has no chat template (" +
                       context.no_chat_template + "); use /v1/completions",
                   "messages", "no_chat_template");
  }
  if (!messages.is_array() || messages.empty()) {
    throw BadParameter("messages", "is not an array of at least one message",
                       "invalid_type");
  }
  std::vector<ChatMessage> parsed;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    parsed.push_back(
        ParseMessage(messages[i], "messages[" + std::to_string(i) + "]"));
  }
  try {
    const RenderedChat text =
        context.chat_template->Render(parsed, {.enable_thinking = thinking});
    return EncodeChat(text, context.tokenizer());
  } catch (const Error& error) {
    throw ToApiError(error, "messages");
  }
}

}  // namespace tern::cli::serve
