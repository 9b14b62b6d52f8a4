#include "cli/serve/answer_format.h"

#include <algorithm>

namespace tern::cli::serve {
namespace {

// JSON has no -infinity: a token that the model rules out.
constexpr float kLeastLogprob = -9999.0F;

double Finite(float logprob) { return std::max(logprob, kLeastLogprob); }

Json Bytes(const std::string& text) {
  Json bytes = Json::array();
  for (const char byte : text) {
    bytes.push_back(static_cast<unsigned char>(byte));
  }
  return bytes;
}

Json ChatLogprob(const NamedLogprob& token) {
  return {{"token", ReplaceInvalidUtf8(token.bytes)},
          {"logprob", Finite(token.logprob)},
          {"bytes", Bytes(token.bytes)}};
}

Json ChatLogprobs(const std::vector<TokenDetail>& details) {
  Json content = Json::array();
  for (const TokenDetail& detail : details) {
    Json entry = ChatLogprob(detail.chosen);
    entry["top_logprobs"] = Json::array();
    for (const NamedLogprob& other : detail.top) {
      entry["top_logprobs"].push_back(ChatLogprob(other));
    }
    content.push_back(std::move(entry));
  }
  return {{"content", std::move(content)}, {"refusal", nullptr}};
}

// As a key: bytes that are no characters by their numbers, so that two of them
// do not become one key.
std::string TokenKey(const std::string& bytes) {
  const std::string text = ReplaceInvalidUtf8(bytes);
  return text == bytes ? text : "bytes:" + EscapePiece(bytes);
}

Json TextLogprobs(const std::vector<TokenDetail>& details) {
  Json out = {{"tokens", Json::array()},
              {"token_logprobs", Json::array()},
              {"top_logprobs", Json::array()},
              {"text_offset", Json::array()}};
  for (const TokenDetail& detail : details) {
    out["tokens"].push_back(TokenKey(detail.chosen.bytes));
    out["token_logprobs"].push_back(Finite(detail.chosen.logprob));
    Json top = Json::object();
    for (const NamedLogprob& other : detail.top) {
      top[TokenKey(other.bytes)] = Finite(other.logprob);
    }
    out["top_logprobs"].push_back(std::move(top));
    out["text_offset"].push_back(detail.offset);
  }
  return out;
}

Json Logprobs(const AnswerFrame& frame,
              const std::vector<TokenDetail>& details) {
  if (!frame.logprobs) return nullptr;
  return frame.kind == CompletionKind::kChat ? ChatLogprobs(details)
                                             : TextLogprobs(details);
}

Json UsageJson(const Usage& usage) {
  return {{"prompt_tokens", usage.prompt_tokens},
          {"completion_tokens", usage.completion_tokens},
          {"total_tokens", usage.prompt_tokens + usage.completion_tokens},
          {"prompt_tokens_details", {{"cached_tokens", usage.cached_tokens}}}};
}

Json Frame(const AnswerFrame& frame, const char* object) {
  return {{"id", frame.id},
          {"object", object},
          {"created", frame.created},
          {"model", frame.model},
          {"system_fingerprint", frame.fingerprint},
          {"choices", Json::array()}};
}

Json Chunk(const AnswerFrame& frame) {
  Json chunk =
      Frame(frame, frame.kind == CompletionKind::kChat ? "chat.completion.chunk"
                                                       : "text_completion");
  if (frame.usage) chunk["usage"] = nullptr;
  return chunk;
}

Json ChunkOf(const AnswerFrame& frame, Json choice) {
  Json chunk = Chunk(frame);
  chunk["choices"].push_back(std::move(choice));
  return chunk;
}

}  // namespace

Json WholeAnswer(const AnswerFrame& frame,
                 const std::vector<EndedChoice>& choices, const Usage& usage) {
  const bool chat = frame.kind == CompletionKind::kChat;
  Json answer = Frame(frame, chat ? "chat.completion" : "text_completion");
  for (std::size_t i = 0; i < choices.size(); ++i) {
    const EndedChoice& ended = choices[i];
    Json choice = {{"index", i}};
    if (chat) {
      choice["message"] = {{"role", "assistant"},
                           {"content", ended.piece.text},
                           {"refusal", nullptr}};
    } else {
      choice["text"] = ended.piece.text;
    }
    choice["logprobs"] = Logprobs(frame, ended.piece.details);
    choice["finish_reason"] = ended.finish_reason;
    answer["choices"].push_back(std::move(choice));
  }
  answer["usage"] = UsageJson(usage);
  return answer;
}

Json FirstChunk(const AnswerFrame& frame, std::size_t index) {
  return ChunkOf(frame, {{"index", index},
                         {"delta", {{"role", "assistant"}, {"content", ""}}},
                         {"logprobs", nullptr},
                         {"finish_reason", nullptr}});
}

Json TextChunk(const AnswerFrame& frame, std::size_t index,
               const Piece& piece) {
  Json choice = {{"index", index}};
  if (frame.kind == CompletionKind::kChat) {
    choice["delta"] = {{"content", piece.text}};
  } else {
    choice["text"] = piece.text;
  }
  choice["logprobs"] = Logprobs(frame, piece.details);
  choice["finish_reason"] = nullptr;
  return ChunkOf(frame, std::move(choice));
}

Json LastChunk(const AnswerFrame& frame, std::size_t index,
               const std::string& finish_reason) {
  Json choice = {{"index", index}};
  if (frame.kind == CompletionKind::kChat) {
    choice["delta"] = Json::object();
  } else {
    choice["text"] = "";
  }
  choice["logprobs"] = nullptr;
  choice["finish_reason"] = finish_reason;
  return ChunkOf(frame, std::move(choice));
}

Json UsageChunk(const AnswerFrame& frame, const Usage& usage) {
  Json chunk = Chunk(frame);
  chunk["usage"] = UsageJson(usage);
  return chunk;
}

std::string Event(const Json& data) {
  return "data: " + data.dump(-1, ' ', false, Json::error_handler_t::replace) +
         "\n\n";
}

}  // namespace tern::cli::serve
