// What POST /v1/chat/completions and /v1/completions ask for, read from their
// JSON: every parameter is understood, known to be harmless, or refused by
// name.
#ifndef TERN_CLI_SERVE_COMPLETION_REQUEST_H_
#define TERN_CLI_SERVE_COMPLETION_REQUEST_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <tern/constraint.h>
#include <tern/sampler.h>
#include <tern/tokenizer.h>

#include "cli/serve/context.h"
#include "cli/serve/request_fields.h"

namespace tern::cli::serve {

enum class CompletionKind { kChat, kText };

// What a text may be: anything, or JSON.
struct ResponseFormat {
  enum class Type { kText, kJson, kJsonSchema };
  Type type = Type::kText;
  std::string schema;  // of kJsonSchema, as JSON

  // For one text; null for kText.  Throws ApiError (400).
  [[nodiscard]] std::shared_ptr<TokenConstraint> MakeConstraint(
      const JsonConstraints& json) const;
};

struct CompletionRequest {
  CompletionKind kind = CompletionKind::kChat;
  std::vector<std::vector<Token>> prompts;  // one or more
  // With `echo`: what the answers to each prompt begin with.
  std::vector<std::string> echoes;
  std::size_t choices = 1;     // n, for each prompt
  std::size_t max_tokens = 0;  // 0: as many as the context holds
  SamplerOptions sampler;
  std::vector<std::string> stops;
  int top_logprobs = -1;  // -1: none
  ResponseFormat format;
  bool stream = false;
  bool include_usage = false;  // of a stream
};

// Throws ApiError: 400, or 404 for another model than ours.
CompletionRequest ParseCompletionRequest(CompletionKind kind,
                                         const std::string& body,
                                         const Context& context);

// The parts that other routes have, too.

// "model": ours, or absent.  Throws ApiError (404).
void CheckModel(RequestFields& fields, const Context& context);
// Texts or token ids: a string, an array of strings, an array of ids, or an
// array of such arrays.  Throws ApiError (400).
std::vector<std::vector<Token>> ParseInputs(const Json& value,
                                            const std::string& name,
                                            const Context& context);
// The ids of a conversation, with what begins the answer to it.
std::vector<Token> ParseMessages(const Json& messages, const Context& context,
                                 std::optional<bool> thinking);

}  // namespace tern::cli::serve

#endif  // TERN_CLI_SERVE_COMPLETION_REQUEST_H_
