#include "cli/serve/embeddings.h"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "cli/serve/api_error.h"
#include "cli/serve/completion_request.h"
#include "cli/serve/request_fields.h"

namespace tern::cli::serve {
namespace {

struct EmbeddingsRequest {
  std::vector<std::vector<Token>> inputs;
  bool base64 = false;
};

EmbeddingsRequest Parse(const std::string& body, const Context& context) {
  const Json json = ParseObject(body);
  RequestFields fields(json);
  CheckModel(fields, context);
  EmbeddingsRequest request;
  const Json* input = fields.Find("input");
  if (input == nullptr) {
    throw BadParameter("input", "is missing", "missing_required_parameter");
  }
  request.inputs = ParseInputs(*input, "input", context);
  const std::string format = fields.String("encoding_format").value_or("float");
  if (format != "float" && format != "base64") {
    throw BadParameter("encoding_format", "is neither float nor base64");
  }
  request.base64 = format == "base64";
  const auto width =
      static_cast<std::int64_t>(context.model->config().hidden_size);
  if (fields.Integer("dimensions", 1, INT32_MAX).value_or(width) != width) {
    throw BadParameter("dimensions",
                       "may only be " + std::to_string(width) +
                           ": this model was not trained to be cut",
                       "unsupported_parameter");
  }
  fields.Accept({"user"});
  fields.RefuseUnknown();
  const std::size_t room = context.embeddings->context_length();
  for (const auto& tokens : request.inputs) {
    if (tokens.empty()) throw BadParameter("input", "has an empty text");
    if (tokens.size() <= room) continue;
    throw ApiError(400,
                   "'input' has a text of " + std::to_string(tokens.size()) +
                       " tokens, more than the context of " +
                       std::to_string(room),
                   "input", "context_length_exceeded");
  }
  return request;
}

// float32, little-endian, as the official clients decode it.
std::string Base64(const std::vector<float>& vector) {
  static_assert(std::endian::native == std::endian::little);
  constexpr const char* kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const std::size_t size = vector.size() * sizeof(float);
  std::vector<unsigned char> bytes(size + 2);  // 0 at the end
  std::memcpy(bytes.data(), vector.data(), size);
  std::string text;
  for (std::size_t i = 0; i < size; i += 3) {
    const std::uint32_t three = (std::uint32_t{bytes[i]} << 16U) |
                                (std::uint32_t{bytes[i + 1]} << 8U) |
                                bytes[i + 2];
    for (std::uint32_t j = 0; j < 4; ++j) {
      text += i + j > size ? '=' : kDigits[(three >> (18U - 6U * j)) & 63U];
    }
  }
  return text;
}

class Embeddings final : public Exchange,
                         public std::enable_shared_from_this<Embeddings> {
 public:
  Embeddings(EmbeddingsRequest request, const Context& context,
             std::shared_ptr<Responder> responder)
      : context_(context),
        base64_(request.base64),
        strand_(responder),
        responder_(std::move(responder)),
        job_(std::make_shared<EmbeddingJob>()) {
    job_->inputs = std::move(request.inputs);
    for (const auto& tokens : job_->inputs) tokens_ += tokens.size();
  }

  void Start() {
    job_->on_end = [self = shared_from_this()](
                       std::vector<std::vector<float>> vectors,
                       std::optional<Error> error) {
      self->strand_->Post(
          [self, vectors = std::move(vectors), error = std::move(error)] {
            self->Tell(vectors, error);
          });
    };
    context_.embeddings->Submit(job_);
  }

  void Cancel() override {
    job_->cancelled = true;
    responder_.reset();
  }

 private:
  void Tell(const std::vector<std::vector<float>>& vectors,
            const std::optional<Error>& error) {
    const auto responder = std::exchange(responder_, nullptr);
    if (!responder) return;
    if (error) {
      const ApiError api_error = ToApiError(*error);
      responder->record().error = api_error.what();
      return responder->Send(api_error.ToReply());
    }
    Json data = Json::array();
    for (std::size_t i = 0; i < vectors.size(); ++i) {
      data.push_back({{"object", "embedding"},
                      {"index", i},
                      {"embedding",
                       base64_ ? Json(Base64(vectors[i])) : Json(vectors[i])}});
    }
    responder->record().prompt_tokens = tokens_;
    Reply reply;
    reply.body = DumpJson(
        {{"object", "list"},
         {"data", std::move(data)},
         {"model", context_.model_names[0]},
         {"usage", {{"prompt_tokens", tokens_}, {"total_tokens", tokens_}}}});
    responder->Send(std::move(reply));
  }

  const Context& context_;
  const bool base64_;
  const std::shared_ptr<Responder> strand_;
  std::shared_ptr<Responder> responder_;  // null: all is told
  std::shared_ptr<EmbeddingJob> job_;
  std::size_t tokens_ = 0;
};

}  // namespace

std::shared_ptr<Exchange> AnswerEmbeddings(
    const std::string& body, const Context& context,
    const std::shared_ptr<Responder>& responder) {
  auto exchange =
      std::make_shared<Embeddings>(Parse(body, context), context, responder);
  exchange->Start();
  return exchange;
}

}  // namespace tern::cli::serve
