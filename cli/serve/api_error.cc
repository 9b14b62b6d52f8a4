#include "cli/serve/api_error.h"

#include <exception>
#include <new>
#include <utility>

namespace tern::cli::serve {
namespace {

// The names that OpenAI's API gives to kinds of errors.
std::string TypeFor(int status) {
  if (status == 429) return "rate_limit_error";
  if (status >= 500) return "server_error";
  return "invalid_request_error";
}

Json TextOrNull(const std::string& text) {
  return text.empty() ? Json(nullptr) : Json(text);
}

}  // namespace

Json ApiError::Body() const {
  return {{"error",
           {{"message", what()},
            {"type", TypeFor(status_)},
            {"param", TextOrNull(param_)},
            {"code", TextOrNull(code_)}}}};
}

Reply ApiError::ToReply(int retry_seconds) const {
  Reply reply;
  reply.status = status_;
  reply.body = DumpJson(Body());
  if (status_ == 429 || status_ == 503) {
    reply.fields.emplace_back("Retry-After", std::to_string(retry_seconds));
  }
  if (status_ == 401) reply.fields.emplace_back("WWW-Authenticate", "Bearer");
  return reply;
}

ApiError ToApiError(const Error& error, const std::string& param) {
  switch (error.code()) {
    case tern::ErrorCode::kBusy:
      return {429, "too many requests are waiting; try again later", "",
              "rate_limit_exceeded"};
    case tern::ErrorCode::kOutOfMemory:
      return {503, error.what(), "", "out_of_memory"};
    case tern::ErrorCode::kCancelled:
      return {503, "the server is shutting down", "", "shutting_down"};
    case tern::ErrorCode::kContextFull:
      return {400, error.what(), param, "context_length_exceeded"};
    case tern::ErrorCode::kInvalidArgument:
    case tern::ErrorCode::kMalformed:
    case tern::ErrorCode::kUnsupported:
      if (!param.empty()) return {400, error.what(), param, "invalid_value"};
      break;
    default:
      break;
  }
  return {500, error.what(), "", "internal_error"};
}

ApiError CurrentApiError() {
  try {
    throw;
  } catch (const ApiError& error) {
    return error;
  } catch (const Error& error) {
    return ToApiError(error);
  } catch (const std::bad_alloc&) {
    return {503, "not enough memory for this request", "", "out_of_memory"};
  } catch (const std::exception& error) {
    return {500, error.what(), "", "internal_error"};
  }
}

}  // namespace tern::cli::serve
