#include "cli/serve/completion_request.h"

#include <algorithm>
#include <limits>
#include <random>
#include <utility>

#include "cli/serve/api_error.h"

namespace tern::cli::serve {
namespace {

constexpr std::int64_t kMaxChoices = 128;
constexpr std::int64_t kMaxTopLogprobs = 20;
// Looking for stop strings takes time in proportion to these.
constexpr std::size_t kMaxStops = 16;
constexpr std::size_t kMaxStopBytes = 256;
constexpr std::int64_t kMaxTokens = std::int64_t{1} << 30;
constexpr std::int64_t kMaxInt = std::numeric_limits<int>::max();

void ParseSampling(RequestFields& fields, SamplerOptions* sampler) {
  const auto real = [&](const char* name, double min, double max, float* out) {
    if (const auto value = fields.Number(name, min, max)) {
      *out = static_cast<float>(*value);
    }
  };
  const auto whole = [&](const char* name, std::int64_t min, int* out) {
    if (const auto value = fields.Integer(name, min, kMaxInt)) {
      *out = static_cast<int>(*value);
    }
  };
  real("temperature", 0, 2, &sampler->temperature);
  real("top_p", 0, 1, &sampler->top_p);
  // 0 is the likeliest token alone, as the smallest positive number is.
  sampler->top_p =
      std::max(sampler->top_p, std::numeric_limits<float>::denorm_min());
  real("presence_penalty", -2, 2, &sampler->presence_penalty);
  real("frequency_penalty", -2, 2, &sampler->frequency_penalty);
  whole("top_k", 0, &sampler->top_k);
  real("min_p", 0, 1, &sampler->min_p);
  real("repeat_penalty", 0.01, 100, &sampler->repeat_penalty);
  whole("repeat_last_n", -1, &sampler->repeat_last_n);
  const auto seed = fields.Integer("seed", INT64_MIN, INT64_MAX);
  sampler->seed =
      seed ? static_cast<std::uint64_t>(*seed) : std::random_device()();
}

std::vector<std::string> ParseStops(RequestFields& fields) {
  const Json* value = fields.Find("stop");
  std::vector<std::string> stops;
  if (value == nullptr) return stops;
  const Json list = value->is_array() ? *value : Json::array({*value});
  if (list.size() > kMaxStops) {
    throw BadParameter("stop",
                       "has more than " + std::to_string(kMaxStops) + " texts");
  }
  for (const Json& item : list) {
    if (!item.is_string()) {
      throw BadParameter("stop", "is neither a string nor an array of strings",
                         "invalid_type");
    }
    stops.push_back(item.get<std::string>());
    if (stops.back().empty() || stops.back().size() > kMaxStopBytes) {
      throw BadParameter("stop", "has a text that is empty or longer than " +
                                     std::to_string(kMaxStopBytes) + " bytes");
    }
  }
  return stops;
}

ResponseFormat ParseFormat(RequestFields& fields) {
  ResponseFormat format;
  const Json* value = fields.Object("response_format");
  if (value == nullptr) return format;
  RequestFields inner(*value, "response_format.");
  const std::string type = inner.String("type").value_or("");
  if (type == "json_object") {
    format.type = ResponseFormat::Type::kJson;
  } else if (type == "json_schema") {
    format.type = ResponseFormat::Type::kJsonSchema;
    const Json* described = inner.Object("json_schema");
    if (described == nullptr) {
      throw BadParameter("response_format.json_schema", "is missing");
    }
    RequestFields schema(*described, "response_format.json_schema.");
    schema.Accept({"name", "description", "strict"});
    const Json* text = schema.Find("schema");
    if (text == nullptr) {
      throw BadParameter("response_format.json_schema.schema", "is missing");
    }
    format.schema = text->dump();
    schema.RefuseUnknown();
  } else if (type != "text") {
    throw BadParameter("response_format.type",
                       "is not text, json_object or json_schema");
  }
  inner.RefuseUnknown();
  return format;
}

void ParseStream(RequestFields& fields, CompletionRequest* request) {
  request->stream = fields.Bool("stream").value_or(false);
  const Json* options = fields.Object("stream_options");
  if (options == nullptr) return;
  if (!request->stream) {
    throw BadParameter("stream_options", "needs 'stream' to be true");
  }
  RequestFields inner(*options, "stream_options.");
  request->include_usage = inner.Bool("include_usage").value_or(false);
  inner.Accept({"include_obfuscation"});
  inner.RefuseUnknown();
}

void ParseChat(RequestFields& fields, const Context& context,
               CompletionRequest* request) {
  std::optional<bool> thinking;
  if (const Json* options = fields.Object("chat_template_kwargs")) {
    RequestFields inner(*options, "chat_template_kwargs.");
    thinking = inner.Bool("enable_thinking");
    inner.RefuseUnknown();
  }
  const Json* messages = fields.Find("messages");
  if (messages == nullptr) {
    throw BadParameter("messages", "is missing", "missing_required_parameter");
  }
  request->prompts.push_back(ParseMessages(*messages, context, thinking));
  const auto most = fields.Integer("max_completion_tokens", 1, kMaxTokens);
  const auto old_most = fields.Integer("max_tokens", 1, kMaxTokens);
  if (most && old_most) {
    throw BadParameter("max_tokens",
                       "cannot be given beside 'max_completion_tokens'");
  }
  request->max_tokens =
      static_cast<std::size_t>(most.value_or(old_most.value_or(0)));
  const bool logprobs = fields.Bool("logprobs").value_or(false);
  const auto top = fields.Integer("top_logprobs", 0, kMaxTopLogprobs);
  if (top && !logprobs) {
    throw BadParameter("top_logprobs", "needs 'logprobs' to be true");
  }
  if (logprobs) request->top_logprobs = static_cast<int>(top.value_or(0));
  request->format = ParseFormat(fields);
  fields.Refuse({"tools", "functions", "tool_choice", "function_call"},
                {"none", "auto"});
  fields.Refuse({"logit_bias", "audio", "web_search_options"});
  fields.Refuse({"reasoning_effort"}, {"none"});
  fields.Refuse({"verbosity"}, {"medium"});
  if (const Json* modalities = fields.Find("modalities");
      modalities != nullptr && *modalities != Json::array({"text"})) {
    throw BadParameter("modalities", "may only be [\"text\"]",
                       "unsupported_parameter");
  }
}

void ParseText(RequestFields& fields, const Context& context,
               CompletionRequest* request) {
  const Json* prompt = fields.Find("prompt");
  if (prompt == nullptr) {
    throw BadParameter("prompt", "is missing", "missing_required_parameter");
  }
  request->prompts = ParseInputs(*prompt, "prompt", context);
  // 16 is what the API has always had.
  request->max_tokens = static_cast<std::size_t>(
      fields.Integer("max_tokens", 1, kMaxTokens).value_or(16));
  const auto logprobs = fields.Integer("logprobs", 0, kMaxTopLogprobs);
  if (logprobs) request->top_logprobs = static_cast<int>(*logprobs);
  if (fields.Bool("echo").value_or(false)) {
    if (logprobs) {
      throw BadParameter("echo", "cannot be combined with 'logprobs'",
                         "unsupported_parameter");
    }
    for (const auto& tokens : request->prompts) {
      const bool begins =
          !tokens.empty() && context.tokenizer().bos() == tokens.front();
      request->echoes.push_back(context.tokenizer().Decode(
          std::span(tokens).subspan(begins ? 1 : 0)));
    }
  }
  const auto best_of = fields.Integer("best_of", 1, kMaxChoices);
  if (best_of && static_cast<std::size_t>(*best_of) != request->choices) {
    throw BadParameter("best_of", "other than 'n' is not supported",
                       "unsupported_parameter");
  }
  request->format = ParseFormat(fields);
  const auto suffix = fields.String("suffix");
  if (suffix && !suffix->empty()) {
    throw BadParameter("suffix", "is not supported", "unsupported_parameter");
  }
  fields.Refuse({"logit_bias"});
}

// Prompts that fit, as many as can be taken at all.
void CheckSizes(const CompletionRequest& request, const Context& context) {
  const char* name =
      request.kind == CompletionKind::kChat ? "messages" : "prompt";
  const std::size_t room = context.scheduler->context_length();
  for (const auto& prompt : request.prompts) {
    if (prompt.empty()) throw BadParameter(name, "is empty");
    if (prompt.size() < room) continue;
    throw ApiError(400,
                   "'" + std::string(name) + "' has " +
                       std::to_string(prompt.size()) +
                       " tokens, which leave no room for an answer in a "
                       "context of " +
                       std::to_string(room),
                   name, "context_length_exceeded");
  }
  if (request.prompts.size() * request.choices > context.max_inputs) {
    throw BadParameter(request.choices > 1 ? "n" : name,
                       "asks for more texts at once than the " +
                           std::to_string(context.max_inputs) +
                           " that this server takes");
  }
}

}  // namespace

std::shared_ptr<TokenConstraint> ResponseFormat::MakeConstraint(
    const JsonConstraints& json) const {
  if (type == Type::kText) return nullptr;
  if (type == Type::kJson) return json.Object();
  try {
    return json.Schema(schema);
  } catch (const Error& error) {
    throw ToApiError(error, "response_format");
  }
}

CompletionRequest ParseCompletionRequest(CompletionKind kind,
                                         const std::string& body,
                                         const Context& context) {
  const Json json = ParseObject(body);
  RequestFields fields(json);
  CheckModel(fields, context);
  CompletionRequest request;
  request.kind = kind;
  request.sampler = context.sampling;
  ParseSampling(fields, &request.sampler);
  request.stops = ParseStops(fields);
  ParseStream(fields, &request);
  request.choices =
      static_cast<std::size_t>(fields.Integer("n", 1, kMaxChoices).value_or(1));
  if (kind == CompletionKind::kChat) {
    ParseChat(fields, context, &request);
  } else {
    ParseText(fields, context, &request);
  }
  // Who asks, where it is kept, how it is billed: nothing of the answer.
  fields.Accept({"user", "metadata", "store", "service_tier",
                 "safety_identifier", "prompt_cache_key",
                 "prompt_cache_retention", "prediction",
                 "parallel_tool_calls"});
  fields.RefuseUnknown();
  CheckSizes(request, context);
  return request;
}

}  // namespace tern::cli::serve
