// A loaded model: weights in the layout of the kernels, configuration and
// tokenizer.  Immutable after Load, so any number of threads and sessions
// share one, and so do the children of a process that calls fork().  Start
// here: Model::Load, then a Session (session.h).
#ifndef TERN_MODEL_H_
#define TERN_MODEL_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <tern/api.h>
#include <tern/error.h>
#include <tern/tokenizer.h>

namespace tern {

// The non-linearity of the feed-forward block, by name because a wrong guess
// gives fluent nonsense.
enum class Activation {
  kSquaredRelu,  // relu(x)^2: architecture bitnet-b1.58, hidden_act relu2
  kSilu,         // x / (1 + exp(-x)): bitnet, llama, qwen3
};

// What a ternary layer makes of its input before it adds and subtracts.
enum class InputType {
  kInt8,  // rounded to int8 with one scale a token, as b1.58 models are trained
  kFloat,  // taken as it is: models whose weights alone are ternary
};

// The order of the codes in a GGUF tensor of type I2_S, which the file does not
// tell (packing/README.md): published files have kA.
enum class I2SLayout { kA, kB, kC };

// What the layers look like.  Sizes are counts of floats unless said otherwise.
struct ModelConfig {
  // tern's name of it: "bitnet-b1.58", "bitnet", "llama" or "qwen3".
  std::string architecture;
  std::string name;  // the file's own name for the model, or ""
  Activation activation = Activation::kSquaredRelu;
  InputType input_type = InputType::kInt8;  // of the ternary layers
  // RMSNorms beyond the two of every layer: before o_proj and down_proj
  // (bitnet), of each head of q and k before their rotation (qwen3), before
  // each projection (Falcon-E).
  bool sub_norms = false;
  bool head_norms = false;
  bool projection_norms = false;
  std::size_t hidden_size = 0;  // width of the residual stream
  std::size_t num_layers = 0;
  std::size_t ffn_size = 0;      // width inside the feed-forward block
  std::size_t num_heads = 0;     // query heads
  std::size_t num_kv_heads = 0;  // key/value heads, divides num_heads
  std::size_t head_dim = 0;      // even
  std::size_t vocab_size = 0;    // rows of the embedding, padding included
  std::size_t max_context = 0;   // positions the model was trained for
  float rope_theta = 0;          // base of the rotary frequencies
  // [head_dim / 2], radians a position, where they are not
  // rope_theta^(-2i / head_dim): scaled rotary positions.  Empty otherwise.
  std::vector<float> rope_frequencies;
  float rope_magnitude = 1;  // factor of the cosines and sines (YaRN)
  float norm_eps = 0;
  float projection_norm_eps = 0;  // of projection_norms
  bool tied_head = false;         // output head = embedding
  bool ternary_head = false;      // output head of ternary weights
};

// How the output head is held: logits are computed with
enum class HeadForm {
  kAuto,      // the stored head: the other forms cost quality or memory
  kAsStored,  // the stored head
  // int8 rows made of a head of 16- or 32-bit floats: half of f16's bytes a
  // token, for a small loss.  They take the place of an untied head; beside a
  // tied one, which is needed to look up tokens, they take half as much again.
  // A head of 8 bits a weight stays as it is.
  kQ8,
  // the stored head, of 16- or 32-bit floats, behind a screen that takes 0.52
  // of f16's bytes more memory: Session::Next reads most of it, a third of
  // f16's bytes, and those rows of the head that the choice can still depend
  // on.  The same tokens as with the stored head, always.
  kScreened,
};

struct LoadOptions {
  // Instead of what the files say, or imply.
  std::optional<InputType> input_type = std::nullopt;
  I2SLayout i2s_layout = I2SLayout::kA;
  HeadForm head = HeadForm::kAuto;
  // Check all checksums that the file records before anything of it is used.
  // Only t2 files (pack.h) record any: others are refused.
  bool verify = false;
  // Use weights where they lie in the file, mapped into memory, if they are
  // stored as they are computed with: type T2, and floats and Q8_0 in whatever
  // file.  The rest is copied as without it; a model without any such weights
  // is refused.  Loading reads them once, to check them, and the system may
  // then drop and read them again as it likes; processes share them.  The file
  // must stay as it is while the model lives: if it changes, results are wrong
  // without notice, and if it shrinks, the process ends with a SIGBUS.
  bool map = false;
  // 0: as many as the process may use.
  int num_threads = 0;
  // Called now and then from the loading thread with a fraction in 0..1.
  std::function<void(double fraction)> progress = nullptr;
};

class Weights;  // private to runtime/

class TERN_API Model {
 public:
  // Reads a GGUF file, a directory in Hugging Face layout (config.json and
  // *.safetensors), or a .safetensors file beside its config.json.  Weights are
  // copied into memory, so the file may change or go away afterwards (unless
  // options.map says otherwise).  Throws
  // Error for anything that tern cannot compute exactly as the model's authors
  // meant it; nothing is guessed.
  static std::shared_ptr<const Model> Load(const std::filesystem::path& path,
                                           const LoadOptions& options = {});
  // A model of weights that are in memory already, without a tokenizer;
  // `origin` says where they are from.  For runtime/ alone, which knows
  // Weights.
  static std::shared_ptr<const Model> FromWeights(
      const ModelConfig& config, std::unique_ptr<const Weights> weights,
      const std::string& origin);

  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;
  ~Model();

  [[nodiscard]] const ModelConfig& config() const { return config_; }
  // Throws Error if the model came without one or with one that tern does not
  // understand; the model can still be fed token ids.
  [[nodiscard]] const Tokenizer& tokenizer() const;
  [[nodiscard]] bool has_tokenizer() const { return tokenizer_ != nullptr; }

  // Bytes of weights, as held in memory.
  [[nodiscard]] std::uint64_t weights_bytes() const;
  // Those of them that lie in mapped files (LoadOptions::map).
  [[nodiscard]] std::uint64_t mapped_bytes() const;
  // Bytes of weights that decoding one token reads: every matrix once, the
  // head, one row of the embedding; the cache is not included.  Of a screened
  // head only what each token reads of the screen counts: what is read beyond
  // that depends on the token (Session::head_bytes_read).
  [[nodiscard]] std::uint64_t bytes_per_token() const;
  // The head's part of bytes_per_token.
  [[nodiscard]] std::uint64_t head_bytes_per_token() const;
  // Bytes of the norms and linear layers, which every chunk of tokens reads
  // once.
  [[nodiscard]] std::uint64_t layers_bytes() const;
  // How the linear layers are stored: "ternary", "f16", ...
  [[nodiscard]] std::string linear_type() const;
  // Tells models apart by all that keys and values are computed from:
  // embedding, layers and their configuration, not the head, the tokenizer or
  // names.  Reads all weights the first time (0.1 s a gigabyte).
  [[nodiscard]] std::uint64_t fingerprint() const;
  // One line for people: architecture, weights, activations, tokenizer.
  [[nodiscard]] std::string Describe() const;

  [[nodiscard]] const Weights& weights() const { return *weights_; }

 private:
  Model();
  ModelConfig config_;
  std::unique_ptr<const Weights> weights_;
  std::unique_ptr<const Tokenizer> tokenizer_;
  std::optional<Error> tokenizer_error_;                // why there is none
  std::string format_;                                  // of the files
  mutable std::atomic<std::uint64_t> fingerprint_ = 0;  // 0: not known yet
};

}  // namespace tern

#endif  // TERN_MODEL_H_
