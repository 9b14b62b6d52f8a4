// The answer to a chat or text completion: its texts, all at once in the
// scheduler, told as they grow or when all have ended.
//
// Two threads take part.  The scheduler's turns tokens into text, finds stop
// strings (so that a text ends with the very token that completes one), and
// hands the rest over; the connection's strand writes.
#ifndef TERN_CLI_SERVE_COMPLETION_H_
#define TERN_CLI_SERVE_COMPLETION_H_

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <tern/scheduler.h>

#include "cli/serve/answer_format.h"
#include "cli/serve/choice.h"
#include "cli/serve/completion_request.h"
#include "cli/serve/context.h"
#include "cli/serve/http.h"

namespace tern::cli::serve {

class Completion final : public Exchange,
                         public std::enable_shared_from_this<Completion> {
 public:
  Completion(CompletionRequest request, const Context& context,
             std::shared_ptr<Responder> responder);

  // Submits the texts.  Throws Error as Scheduler::Submit does, and ApiError.
  void Start();
  void Cancel() override;

 private:
  struct Text {
    Choice choice;
    Piece gathered;  // of an answer that is not streamed
    // Of the strand:
    bool ended = false;
    std::string finish_reason;
  };

  // On the strand
  void SubmitAll();
  GenerateRequest MakeRequest(std::size_t index);
  void CancelAll();
  void BeginStream();
  void TellPiece(std::size_t index, const Piece& piece);
  void TextEnded(std::size_t index, Piece rest, const GenerateResult& result);
  void Count(std::size_t index, const GenerateResult& result);
  void AllEnded();
  void Fail(const GenerateResult& result);

  // On the scheduler's thread
  bool OnToken(std::size_t index, const GeneratedToken& token);
  void OnEnd(std::size_t index, const GenerateResult& result);

  const CompletionRequest request_;
  const Context& context_;
  const std::shared_ptr<Responder> strand_;  // to post to, from any thread
  std::shared_ptr<Responder> responder_;     // the same; null: all is told
  AnswerFrame frame_;
  std::vector<std::unique_ptr<Text>> texts_;
  std::vector<RequestId> ids_;
  std::size_t ended_ = 0;
  Usage usage_;
  const std::chrono::steady_clock::time_point start_;
  bool has_token_ = false;  // of the scheduler's thread
};

}  // namespace tern::cli::serve

#endif  // TERN_CLI_SERVE_COMPLETION_H_
