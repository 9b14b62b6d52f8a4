#include "cli/serve/completion.h"

#include <utility>

#include "cli/serve/api_error.h"
#include "cli/serve/http_text.h"

namespace tern::cli::serve {
namespace {

std::int64_t UnixTime() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::seconds>(now).count();
}

AnswerFrame MakeFrame(const CompletionRequest& request,
                      const Context& context) {
  AnswerFrame frame;
  frame.kind = request.kind;
  frame.id =
      NewId(request.kind == CompletionKind::kChat ? "chatcmpl-" : "cmpl-");
  frame.created = UnixTime();
  frame.model = context.model_names[0];
  frame.fingerprint = context.fingerprint;
  frame.logprobs = request.top_logprobs >= 0;
  frame.usage = request.include_usage;
  return frame;
}

std::string FinishReason(const GenerateResult& result) {
  const bool length = result.reason == tern::FinishReason::kLength ||
                      result.reason == tern::FinishReason::kContext;
  return length ? "length" : "stop";
}

}  // namespace

Completion::Completion(CompletionRequest request, const Context& context,
                       std::shared_ptr<Responder> responder)
    : request_(std::move(request)),
      context_(context),
      strand_(responder),
      responder_(std::move(responder)),
      frame_(MakeFrame(request_, context)),
      start_(responder_->record().start) {
  const std::size_t count = request_.prompts.size() * request_.choices;
  for (std::size_t i = 0; i < count; ++i) {
    texts_.push_back(std::make_unique<Text>(
        Text{Choice(context_.tokenizer(), request_.stops, frame_.logprobs),
             {},
             false,
             ""}));
  }
}

void Completion::Start() {
  try {
    SubmitAll();
  } catch (...) {
    CancelAll();
    throw;
  }
  if (request_.stream) BeginStream();
}

void Completion::SubmitAll() {
  try {
    for (std::size_t i = 0; i < texts_.size(); ++i) {
      ids_.push_back(context_.scheduler->Submit(MakeRequest(i)));
    }
  } catch (const Error& error) {
    // Not even alone: it is of no use to try again, as 503 would say.
    if (error.code() != ErrorCode::kOutOfMemory) throw;
    throw ApiError(400, error.what(), "max_tokens", "out_of_memory");
  }
}

GenerateRequest Completion::MakeRequest(std::size_t index) {
  GenerateRequest request;
  request.prompt = request_.prompts[index / request_.choices];
  request.sampler = request_.sampler;
  // The first text is what `tern run --seed` gives; the others differ.
  request.sampler.seed += index;
  if (request_.max_tokens != 0) request.max_tokens = request_.max_tokens;
  request.top_logprobs = request_.top_logprobs;
  request.constraint = request_.format.MakeConstraint(*context_.json);
  request.on_token = [self = shared_from_this(),
                      index](const GeneratedToken& token) {
    return self->OnToken(index, token);
  };
  request.on_end = [self = shared_from_this(),
                    index](const GenerateResult& result) {
    self->OnEnd(index, result);
  };
  return request;
}

void Completion::CancelAll() {
  responder_.reset();
  for (const RequestId id : ids_) context_.scheduler->Cancel(id);
}

void Completion::Cancel() { CancelAll(); }

bool Completion::OnToken(std::size_t index, const GeneratedToken& token) {
  if (!std::exchange(has_token_, true)) {
    const std::chrono::duration<double> time =
        std::chrono::steady_clock::now() - start_;
    context_.metrics->AddFirstToken(time.count());
  }
  Text& text = *texts_[index];
  Piece piece = text.choice.Push(token);
  if (!request_.stream) {
    text.gathered.Append(std::move(piece));
  } else if (!piece.empty()) {
    strand_->Post([self = shared_from_this(), index, piece = std::move(piece)] {
      self->TellPiece(index, piece);
    });
  }
  return !text.choice.stopped();
}

void Completion::OnEnd(std::size_t index, const GenerateResult& result) {
  Piece rest = texts_[index]->choice.Flush();
  strand_->Post(
      [self = shared_from_this(), index, rest = std::move(rest),
       result]() mutable { self->TextEnded(index, std::move(rest), result); });
}

void Completion::BeginStream() {
  Reply head;
  head.content_type = "text/event-stream; charset=utf-8";
  // A proxy must not gather the events (nginx).
  head.fields = {{"Cache-Control", "no-cache"}, {"X-Accel-Buffering", "no"}};
  responder_->StartStream(head);
  for (std::size_t i = 0; i < texts_.size() && responder_; ++i) {
    if (request_.kind == CompletionKind::kChat) {
      responder_->Stream(Event(FirstChunk(frame_, i)));
    } else if (!request_.echoes.empty()) {
      TellPiece(
          i, {ReplaceInvalidUtf8(request_.echoes[i / request_.choices]), {}});
    }
  }
}

void Completion::TellPiece(std::size_t index, const Piece& piece) {
  if (responder_) responder_->Stream(Event(TextChunk(frame_, index, piece)));
}

void Completion::Count(std::size_t index, const GenerateResult& result) {
  // A prompt counts once, however many answers it has.
  if (index % request_.choices == 0) {
    usage_.prompt_tokens += result.prompt_tokens;
    usage_.cached_tokens += result.reused_tokens;
  }
  usage_.completion_tokens += result.generated_tokens;
}

void Completion::TextEnded(std::size_t index, Piece rest,
                           const GenerateResult& result) {
  if (!responder_) return;
  if (result.reason == tern::FinishReason::kError ||
      result.reason == tern::FinishReason::kCancelled) {
    return Fail(result);
  }
  Count(index, result);
  Text& text = *texts_[index];
  text.finish_reason = FinishReason(result);
  if (request_.stream) {
    if (!rest.empty()) TellPiece(index, rest);
    if (!responder_) return;
    responder_->Stream(Event(LastChunk(frame_, index, text.finish_reason)));
  } else {
    text.gathered.Append(std::move(rest));
  }
  if (++ended_ == texts_.size() && responder_) AllEnded();
}

void Completion::AllEnded() {
  RequestRecord& record = responder_->record();
  record.prompt_tokens = usage_.prompt_tokens;
  record.cached_tokens = usage_.cached_tokens;
  record.completion_tokens = usage_.completion_tokens;
  record.finish = texts_[0]->finish_reason;
  const auto responder = responder_;
  if (request_.stream) {
    if (request_.include_usage) {
      responder->Stream(Event(UsageChunk(frame_, usage_)));
    }
    responder->Stream(kDoneEvent);
    responder->EndStream();
  } else {
    std::vector<EndedChoice> choices;
    for (std::size_t i = 0; i < texts_.size(); ++i) {
      Piece piece = std::move(texts_[i]->gathered);
      if (!request_.echoes.empty()) {
        piece.text = ReplaceInvalidUtf8(request_.echoes[i / request_.choices]) +
                     piece.text;
      }
      choices.push_back({std::move(piece), texts_[i]->finish_reason});
    }
    Reply reply;
    reply.body = DumpJson(WholeAnswer(frame_, choices, usage_));
    responder->Send(std::move(reply));
  }
  responder_.reset();
}

// Of several texts, one that fails ends all.
void Completion::Fail(const GenerateResult& result) {
  const auto responder = responder_;
  CancelAll();
  const ApiError error =
      result.reason == tern::FinishReason::kCancelled
          ? ApiError(503, "the server is shutting down", "", "shutting_down")
          : ApiError(500, result.error ? result.error->what() : "failed", "",
                     "internal_error");
  responder->record().error = error.what();
  if (!request_.stream) return responder->Send(error.ToReply());
  responder->Stream(Event(error.Body()));
  responder->EndStream();
}

}  // namespace tern::cli::serve
