#include "cli/serve/api.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <utility>

#include <boost/beast/core/string.hpp>

#include "cli/serve/api_error.h"
#include "cli/serve/completion.h"
#include "cli/serve/completion_request.h"
#include "cli/serve/embeddings.h"
#include "cli/serve/page.h"
#include "cli/serve/small_routes.h"

namespace tern::cli::serve {
namespace {

constexpr std::string_view kModelPrefix = "/v1/models/";

using ResponderPtr = std::shared_ptr<Responder>;
using ExchangePtr = std::shared_ptr<Exchange>;

struct Route {
  std::string_view path;
  std::string_view method;
  bool needs_key;
  // Runs on the connection's strand; what it throws becomes an error reply.
  ExchangePtr (*answer)(const HttpRequest&, const Context&,
                        const ResponderPtr&);
};

ExchangePtr AnswerCompletion(CompletionKind kind, const HttpRequest& request,
                             const Context& context,
                             const ResponderPtr& responder) {
  auto exchange = std::make_shared<Completion>(
      ParseCompletionRequest(kind, request.body, context), context, responder);
  exchange->Start();
  return exchange;
}

ExchangePtr AnswerChat(const HttpRequest& request, const Context& context,
                       const ResponderPtr& responder) {
  return AnswerCompletion(CompletionKind::kChat, request, context, responder);
}

ExchangePtr AnswerText(const HttpRequest& request, const Context& context,
                       const ResponderPtr& responder) {
  return AnswerCompletion(CompletionKind::kText, request, context, responder);
}

ExchangePtr AnswerVectors(const HttpRequest& request, const Context& context,
                          const ResponderPtr& responder) {
  return AnswerEmbeddings(request.body, context, responder);
}

// Routes that have their reply at once.
template <Reply (*Function)(const Context&)>
ExchangePtr AtOnce(const HttpRequest& /*request*/, const Context& context,
                   const ResponderPtr& responder) {
  responder->Send(Function(context));
  return nullptr;
}

template <Reply (*Function)(const std::string&, const Context&)>
ExchangePtr FromBody(const HttpRequest& request, const Context& context,
                     const ResponderPtr& responder) {
  responder->Send(Function(request.body, context));
  return nullptr;
}

ExchangePtr AnswerModel(const HttpRequest& request, const Context& context,
                        const ResponderPtr& responder) {
  responder->Send(
      DescribeModel(request.head.path.substr(kModelPrefix.size()), context));
  return nullptr;
}

Reply GivePage(const Context& /*context*/) { return Page(); }

// The page, and what only says that the server lives, are open to all.
constexpr std::array kRoutes = {
    Route{"/v1/chat/completions", "POST", true, AnswerChat},
    Route{"/v1/completions", "POST", true, AnswerText},
    Route{"/v1/embeddings", "POST", true, AnswerVectors},
    Route{"/v1/models", "GET", true, AtOnce<ListModels>},
    Route{kModelPrefix, "GET", true, AnswerModel},
    Route{"/tokenize", "POST", true, FromBody<Tokenize>},
    Route{"/detokenize", "POST", true, FromBody<Detokenize>},
    Route{"/metrics", "GET", true, AtOnce<TellMetrics>},
    Route{"/health", "GET", false, AtOnce<Health>},
    Route{"/", "GET", false, AtOnce<GivePage>},
};

const Route* Find(std::string_view path) {
  if (path.starts_with(kModelPrefix)) path = kModelPrefix;
  for (const Route& route : kRoutes) {
    if (route.path == path) return &route;
  }
  return nullptr;
}

std::string MethodsOf(const Route& route) {
  return route.method == "GET" ? "GET, HEAD, OPTIONS" : "POST, OPTIONS";
}

bool Takes(const Route& route, const std::string& method) {
  return method == route.method || method == "OPTIONS" ||
         (method == "HEAD" && route.method == "GET");
}

bool IsSame(const std::string& text, const char* other) {
  return boost::beast::iequals(text, other);
}

bool IsJsonType(const std::string& content_type) {
  std::string type = content_type.substr(0, content_type.find(';'));
  while (type.ends_with(' ')) type.pop_back();
  return IsSame(type, "application/json");
}

}  // namespace

Api::Api(const Context& context, Access access)
    : context_(context), access_(std::move(access)) {}

// In the order in which a client would want to know.
void Api::CheckHead(const RequestHead& head) const {
  if (head.surplus) {
    throw ApiError(503, "too many connections are open", "",
                   "too_many_connections");
  }
  if (head.hosts > 1 || (head.is_1_1 && head.hosts == 0)) {
    throw ApiError(400, "the request needs the field Host, once");
  }
  if (head.unknown_coding) {
    throw ApiError(501, "no other Transfer-Encoding than chunked is known");
  }
  if (!head.expect.empty() && !IsSame(head.expect, "100-continue")) {
    throw ApiError(417, "no other Expect than 100-continue is known");
  }
  const Route* route = Find(head.path);
  if (route == nullptr) {
    throw ApiError(404, "there is no " + head.path.substr(0, 200) + " here", "",
                   "unknown_url");
  }
  if (!Takes(*route, head.method)) {
    throw ApiError(405, "this takes " + std::string(route->method) + " only",
                   "", "method_not_allowed");
  }
  if (head.method == "OPTIONS") return;
  if (route->needs_key && !access_.MayAsk(head.authorization)) {
    throw ApiError(401,
                   "a key is needed, and this is none; send the field "
                   "'Authorization: Bearer KEY'",
                   "", "invalid_api_key");
  }
  if (context_.draining && route->needs_key && route->path != "/metrics") {
    throw ApiError(503, "the server is shutting down", "", "shutting_down");
  }
  if (route->method == "POST") CheckBody(head);
}

// A page of another origin can send a form or plain text without asking first,
// but not this type.
void Api::CheckBody(const RequestHead& head) const {
  if (!head.has_body) {
    throw ApiError(411, "the request needs a body and its Content-Length");
  }
  if (!IsJsonType(head.content_type)) {
    throw ApiError(415, "the body must be of Content-Type application/json");
  }
  if (!head.content_encoding.empty() &&
      !IsSame(head.content_encoding, "identity")) {
    throw ApiError(415, "the body must have no Content-Encoding");
  }
}

std::optional<Reply> Api::Refuse(const RequestHead& head) {
  try {
    CheckHead(head);
    return std::nullopt;
  } catch (const ApiError& error) {
    Reply reply = error.ToReply(RetrySeconds());
    if (error.status() == 405) {
      reply.fields.emplace_back("Allow", MethodsOf(*Find(head.path)));
    }
    return reply;
  }
}

std::shared_ptr<Exchange> Api::Answer(HttpRequest request,
                                      const ResponderPtr& responder) {
  try {
    const Route& route = *Find(request.head.path);
    if (request.head.method != "OPTIONS") {
      return route.answer(request, context_, responder);
    }
    const bool is_preflight =
        !request.head.origin.empty() && !request.head.asked_method.empty();
    Reply reply;
    if (is_preflight) {
      reply = access_.Preflight(request.head, MethodsOf(route));
    }
    reply.status = 204;
    reply.fields.emplace_back("Allow", MethodsOf(route));
    responder->Send(std::move(reply));
  } catch (...) {
    const ApiError error = CurrentApiError();
    responder->record().error = error.what();
    responder->Send(error.ToReply(RetrySeconds()));
  }
  return nullptr;
}

std::vector<HeaderField> Api::CommonFields(const RequestHead& head) const {
  std::vector<HeaderField> fields = access_.OriginFields(head);
  fields.emplace_back("X-Content-Type-Options", "nosniff");
  return fields;
}

Reply Api::ErrorReply(int status, const std::string& message) const {
  return ApiError(status, message).ToReply(RetrySeconds());
}

// The texts before it, each as long as the mean, by all slots.
int Api::RetrySeconds() const {
  constexpr double kMost = 60;
  const auto waiting =
      static_cast<double>(context_.scheduler->Statistics().waiting);
  const auto slots = static_cast<double>(context_.scheduler->slots());
  const double seconds =
      context_.metrics->mean_answer_seconds() * (waiting + 1) / slots;
  return static_cast<int>(std::clamp(std::ceil(seconds), 1.0, kMost));
}

void Api::Told(const RequestRecord& record) {
  const std::chrono::duration<double> time =
      std::chrono::steady_clock::now() - record.start;
  const Route* route = Find(record.path);
  context_.metrics->AddRequest(
      std::string(route == nullptr ? "other" : route->path), record,
      time.count());
  Json fields = {{"id", record.id},
                 {"client", record.client},
                 {"method", record.method},
                 {"path", record.path.substr(0, 200)},
                 {"status", record.status},
                 {"ms", std::round(time.count() * 1e4) / 10},
                 {"bytes_in", record.bytes_in},
                 {"bytes_out", record.bytes_out}};
  if (record.prompt_tokens) {
    fields["prompt_tokens"] = *record.prompt_tokens;
    fields["cached_tokens"] = record.cached_tokens;
    fields["completion_tokens"] = record.completion_tokens;
  }
  if (!record.finish.empty()) fields["finish"] = record.finish;
  if (!record.error.empty()) fields["error"] = record.error;
  context_.log->Write(record.status >= 500 ? "error" : "info", "request",
                      fields);
}

void Api::Failed(const std::string& what) {
  context_.log->Write("error", "failure", {{"error", what}});
}

}  // namespace tern::cli::serve
