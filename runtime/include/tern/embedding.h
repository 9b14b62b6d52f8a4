// A text as one vector: the hidden state after the final norm, of the last
// token or the mean over all, scaled to length 1.  The dot product of two such
// vectors is the cosine of their angle.
//
//   tern::Embedder embedder(model, {.pooling = tern::Pooling::kMean});
//   std::vector<float> v = embedder.Embed(model->tokenizer().Encode("A text"));
#ifndef TERN_EMBEDDING_H_
#define TERN_EMBEDDING_H_

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include <tern/api.h>
#include <tern/model.h>
#include <tern/session.h>
#include <tern/tokenizer.h>

namespace tern {

// kLast: the only token that has seen the whole text (attention is causal).
// kMean: all tokens alike.
enum class Pooling { kLast, kMean };

struct EmbedderOptions {
  Pooling pooling = Pooling::kLast;
  // Tokens of the longest text; 0: the model's max_context.
  std::size_t context_length = 0;
  KvType kv_type = KvType::kF16;
  // 0: as many as the process may use.
  int num_threads = 0;
};

// Serves one thread at a time: a call while another thread's call is running
// throws Error (kBusy).  The same text gives the same bits on any number of
// threads.  After fork(), a child may destroy the embedders of its parent; to
// embed with them throws Error (kInvalidArgument).
class TERN_API Embedder {
 public:
  // Reserves the cache and all working memory.  Throws Error: kOutOfMemory if
  // it would not fit into what the machine has free, kInvalidArgument for
  // options without a meaning.
  explicit Embedder(std::shared_ptr<const Model> model,
                    const EmbedderOptions& options = {});
  Embedder(Embedder&&) noexcept;
  Embedder& operator=(Embedder&&) noexcept;
  Embedder(const Embedder&) = delete;
  Embedder& operator=(const Embedder&) = delete;
  ~Embedder();

  // A vector [hidden_size] of length 1.  Throws Error: kInvalidArgument for no
  // tokens or ids outside the vocabulary, kContextFull for too many tokens,
  // kUnsupported if the weights are damaged (values that are not finite).
  [[nodiscard]] std::vector<float> Embed(std::span<const Token> tokens);

  [[nodiscard]] std::size_t context_length() const;

 private:
  class TERN_PRIVATE Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tern

#endif  // TERN_EMBEDDING_H_
