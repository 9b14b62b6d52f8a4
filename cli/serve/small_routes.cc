#include "cli/serve/small_routes.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "cli/serve/api_error.h"
#include "cli/serve/completion_request.h"
#include "cli/serve/request_fields.h"

namespace tern::cli::serve {
namespace {

Json ModelJson(const std::string& name, const Context& context) {
  return {{"id", name},
          {"object", "model"},
          {"created", context.started},
          {"owned_by", "tern"},
          // Beyond OpenAI's: what a page or a script wants to know.
          {"context_length", context.scheduler->context_length()},
          {"chat", context.chat_template.has_value()},
          {"description", context.description}};
}

Reply JsonReply(const Json& json) {
  Reply reply;
  reply.body = DumpJson(json);
  return reply;
}

// The ids of "content", a text, or of "messages", as a chat would read them.
std::vector<Token> ParseContent(RequestFields& fields, const Context& context) {
  const Json* messages = fields.Find("messages");
  const auto content = fields.String("content");
  if ((messages != nullptr) == content.has_value()) {
    throw BadParameter("content", "or 'messages', one of them, must be given",
                       "missing_required_parameter");
  }
  const auto add_special = fields.Bool("add_special");
  if (!content) {
    if (add_special) {
      throw BadParameter("add_special", "cannot be combined with 'messages'");
    }
    return ParseMessages(*messages, context, std::nullopt);
  }
  try {
    return context.tokenizer().Encode(
        *content,
        {.add_bos = add_special.value_or(true), .parse_special = false});
  } catch (const Error& error) {
    throw ToApiError(error, "content");
  }
}

}  // namespace

Reply ListModels(const Context& context) {
  Json data = Json::array();
  for (const std::string& name : context.model_names) {
    data.push_back(ModelJson(name, context));
  }
  return JsonReply({{"object", "list"}, {"data", std::move(data)}});
}

Reply DescribeModel(const std::string& name, const Context& context) {
  const auto& names = context.model_names;
  if (std::find(names.begin(), names.end(), name) == names.end()) {
    throw ApiError(404,
                   "the model '" + name.substr(0, 200) +
                       "' does not exist here; this server has '" + names[0] +
                       "'",
                   "model", "model_not_found");
  }
  return JsonReply(ModelJson(name, context));
}

Reply Tokenize(const std::string& body, const Context& context) {
  const Json json = ParseObject(body);
  RequestFields fields(json);
  CheckModel(fields, context);
  const std::vector<Token> tokens = ParseContent(fields, context);
  const bool with_pieces = fields.Bool("with_pieces").value_or(false);
  fields.RefuseUnknown();
  Json answer = {{"tokens", tokens},
                 {"count", tokens.size()},
                 {"context_length", context.scheduler->context_length()}};
  if (with_pieces) {
    Json pieces = Json::array();
    for (const Token token : tokens) {
      pieces.push_back(ReplaceInvalidUtf8(context.tokenizer().Decode(token)));
    }
    answer["pieces"] = std::move(pieces);
  }
  return JsonReply(answer);
}

Reply Detokenize(const std::string& body, const Context& context) {
  const Json json = ParseObject(body);
  RequestFields fields(json);
  CheckModel(fields, context);
  const Json* value = fields.Find("tokens");
  fields.RefuseUnknown();
  const bool is_list = value != nullptr && value->is_array() &&
                       (value->empty() || (*value)[0].is_number());
  if (!is_list) {
    throw BadParameter("tokens", "is not an array of token ids",
                       "invalid_type");
  }
  const std::vector<Token> tokens =
      value->empty() ? std::vector<Token>{}
                     : ParseInputs(*value, "tokens", context).front();
  return JsonReply(
      {{"content", ReplaceInvalidUtf8(context.tokenizer().Decode(tokens))}});
}

Reply Health(const Context& context) {
  if (context.draining) {
    throw ApiError(503, "the server is shutting down", "", "shutting_down");
  }
  const SchedulerStatistics now = context.scheduler->Statistics();
  return JsonReply({{"status", "ok"},
                    {"slots", context.scheduler->slots()},
                    {"active", now.active},
                    {"waiting", now.waiting}});
}

Reply TellMetrics(const Context& context) {
  Reply reply;
  reply.content_type = "text/plain; version=0.0.4; charset=utf-8";
  reply.body = context.metrics->Text(context.scheduler->Statistics(),
                                     context.open_connections());
  return reply;
}

}  // namespace tern::cli::serve
