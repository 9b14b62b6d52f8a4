// The bodies of requests: from the first byte, which names the route, to a
// reply, or an ApiError of a status that cli/serve/README.md documents.
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <tern/chat.h>
#include <tern/json_constraint.h>
#include <tern/model.h>
#include <tern/sampler.h>
#include <tern/scheduler.h>

#include "cli/serve/api_error.h"
#include "cli/serve/completion_request.h"
#include "cli/serve/small_routes.h"
#include "tests/fuzz/accepts.h"
#include "tests/fuzz/fuzz.h"

namespace tern::fuzz {
namespace {

using cli::serve::ApiError;
using cli::serve::CompletionKind;
using cli::serve::CompletionRequest;
using cli::serve::Context;

constexpr std::size_t kPositions = 256;
constexpr std::size_t kSlots = 2;

// What the routes' readers look at, with a model that never runs.
class Server {
 public:
  Server()
      : model_(Model::Load(TERN_SOURCE_DIR "/models/books-79m.gguf",
                           {.num_threads = 1})),
        scheduler_(model_, {.slots = kSlots,
                            .context_length = kPositions,
                            .num_threads = 1,
                            .cache_bytes = std::uint64_t{64} << 20U}),
        json_(model_->tokenizer()) {
    context_.model = model_;
    context_.chat_template =
        ChatTemplate::Load(TERN_SOURCE_DIR "/models/books-79m.gguf");
    context_.model_names = {"books"};
    context_.max_inputs = 8;
    context_.scheduler = &scheduler_;
    context_.json = &json_;
  }
  [[nodiscard]] const Context& context() const { return context_; }

 private:
  std::shared_ptr<const Model> model_;
  Scheduler scheduler_;
  JsonConstraints json_;
  Context context_;
};

void CheckRequest(const CompletionRequest& request, const Context& context) {
  Check(!request.prompts.empty() && request.choices > 0,
        "a request for nothing");
  Check(request.prompts.size() * request.choices <= context.max_inputs,
        "more texts than are taken");
  for (const auto& prompt : request.prompts) {
    Check(!prompt.empty() && prompt.size() < kPositions,
          "a prompt without room");
    for (const Token token : prompt) {
      Check(token >= 0 && static_cast<std::size_t>(token) <
                              context.tokenizer().vocab_size(),
            "an id outside the vocabulary");
    }
  }
  Check(request.stops.size() <= 16 && request.top_logprobs <= 20, "a limit");
  Check(
      request.echoes.empty() || request.echoes.size() == request.prompts.size(),
      "echoes of other prompts");
  // What the scheduler would do with it: neither may throw anything but that.
  const Sampler sampler(request.sampler);
  (void)request.format.MakeConstraint(*context.json);
}

void Read(char route, const std::string& body, const Context& context) {
  switch (static_cast<unsigned char>(route) % 4) {
    case 0:
      CheckRequest(cli::serve::ParseCompletionRequest(CompletionKind::kChat,
                                                      body, context),
                   context);
      break;
    case 1:
      CheckRequest(cli::serve::ParseCompletionRequest(CompletionKind::kText,
                                                      body, context),
                   context);
      break;
    case 2:
      Check(cli::serve::Tokenize(body, context).status == 200, "a status");
      break;
    default:
      Check(cli::serve::Detokenize(body, context).status == 200, "a status");
  }
}

void CheckError(const ApiError& error) {
  Check(error.status() == 400 || error.status() == 404, "an error's status");
  const cli::Json body = error.Body();
  Check(body.size() == 1 && body.contains("error") && body["error"].size() == 4,
        "an error's form");
  // It can be sent: no exception of bytes that are no UTF-8.
  Check(cli::Json::accept(error.ToReply().body), "an error's body");
}

}  // namespace
}  // namespace tern::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  using namespace tern::fuzz;  // NOLINT(google-build-using-namespace)
  static const Server server;
  if (size == 0) return 0;
  const std::string body(AsText(data + 1, size - 1));
  try {
    Read(static_cast<char>(data[0]), body, server.context());
  } catch (const ApiError& error) {
    CheckError(error);
  }
  return 0;
}
