// The JSON of OpenAI's answers: whole ones, and the chunks of streamed ones.
#ifndef TERN_CLI_SERVE_ANSWER_FORMAT_H_
#define TERN_CLI_SERVE_ANSWER_FORMAT_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cli/serve/choice.h"
#include "cli/serve/completion_request.h"
#include "cli/text.h"

namespace tern::cli::serve {

// What is the same in all parts of one answer.
struct AnswerFrame {
  CompletionKind kind = CompletionKind::kChat;
  std::string id;
  std::int64_t created = 0;  // Unix time
  std::string model;
  std::string fingerprint;
  bool logprobs = false;
  bool usage = false;  // chunks have a member for it
};

struct Usage {
  std::size_t prompt_tokens = 0;
  std::size_t cached_tokens = 0;
  std::size_t completion_tokens = 0;
};

// A text that has ended.
struct EndedChoice {
  Piece piece;
  std::string finish_reason;
};

Json WholeAnswer(const AnswerFrame& frame,
                 const std::vector<EndedChoice>& choices, const Usage& usage);

// Chunks.  FirstChunk says who speaks, and is of a chat alone.
Json FirstChunk(const AnswerFrame& frame, std::size_t index);
Json TextChunk(const AnswerFrame& frame, std::size_t index, const Piece& piece);
Json LastChunk(const AnswerFrame& frame, std::size_t index,
               const std::string& finish_reason);
Json UsageChunk(const AnswerFrame& frame, const Usage& usage);

// A server-sent event.
std::string Event(const Json& data);
inline constexpr std::string_view kDoneEvent = "data: [DONE]\n\n";

}  // namespace tern::cli::serve

#endif  // TERN_CLI_SERVE_ANSWER_FORMAT_H_
