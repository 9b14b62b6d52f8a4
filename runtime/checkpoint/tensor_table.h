// Binding tensors by name: each one that the architecture needs is taken from a
// table, with its exact shape and a type that can be read, and in the end the
// table must be empty, because a tensor that nobody took (a bias, a norm of a
// projection, a rotation) would change the result.
#ifndef TERN_RUNTIME_CHECKPOINT_TENSOR_TABLE_H_
#define TERN_RUNTIME_CHECKPOINT_TENSOR_TABLE_H_

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "runtime/checkpoint/checkpoint.h"
#include "runtime/files/safetensors.h"

namespace tern::checkpoint {

using Shape = std::vector<std::uint64_t>;

class TensorTable {
 public:
  // `path` is the model, for messages about tensors that no file has.
  TensorTable(std::filesystem::path path, files::TensorMap tensors)
      : path_(std::move(path)), tensors_(std::move(tensors)) {}

  [[nodiscard]] bool Contains(const std::string& name) const {
    return tensors_.contains(name);
  }
  // Throws Error (kNotFound) if it is not there, kMalformed if the shape is
  // another.
  files::StoredTensor Take(const std::string& name, const Shape& shape);
  // A tensor of any shape; the caller checks it.
  files::StoredTensor Take(const std::string& name);
  // Take, and an Error (kUnsupported) unless the type is F32, F16 or BF16.
  files::StoredTensor TakeFloats(const std::string& name, const Shape& shape);
  // Of a tensor of T2 codes, its multipliers: NAME.scales for NAME.weight.
  // Throws Error if they are not there or no F32; of other types takes nothing.
  void TakeMultipliers(LinearSource& source);
  // An embedding or a head, W [rows][cols]: floats, Q8_0, Q6_K or Q4_0, or
  // ternary codes.
  LinearSource TakeEmbedding(const std::string& name, std::size_t rows,
                             std::size_t cols);
  // Tells each tensor that is left (kUnsupported).
  void RefuseRest(const files::OnFault& on_fault) const;
  // Tensors whose names begin so.
  [[nodiscard]] bool ContainsAny(const std::string& prefix) const;
  void Drop(const std::string& prefix);
  // Of a tensor whose name begins so its reader has told what is wrong with it.
  [[nodiscard]] bool HasFault(const std::string& prefix) const;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  files::TensorMap tensors_;
};

bool IsPlainFloat(files::StoredType type);
// A GGUF type of ternary codes.
bool IsTernary(files::StoredType type);

// Error (kMalformed) if the tensor has another shape.
void CheckShape(const files::StoredTensor& tensor, const Shape& shape);

// "type TQ1_0 ...", for a tensor whose type has no place where it is.
[[noreturn]] void RefuseType(const files::StoredTensor& tensor,
                             const std::string& readable);

// How a format spells the tensors.  Within a layer L the names are
// LAYERS.L.NAME.weight.
struct TensorNames {
  const char* embedding;    // whole names
  const char* output_norm;  //
  const char* head;         //
  const char* layers;
  const char *attn_norm, *q, *k, *v, *q_norm, *k_norm, *attn_sub_norm, *o;
  const char *ffn_norm, *gate, *up, *ffn_sub_norm, *down;
  const char* input_norm;  // what follows the NAME of a projection
};

// Takes NAME.weight, W [rows][cols], and what belongs to it.
using TakeLinear =
    std::function<LinearSource(TensorTable& table, const std::string& name,
                               std::size_t rows, std::size_t cols)>;

// Fills the tensors of `checkpoint` according to its config.  If on_fault
// returns, those with a fault stay empty.
void BindTensors(TensorTable& table, const TensorNames& names,
                 const TakeLinear& take_linear, const files::OnFault& on_fault,
                 Checkpoint& checkpoint);

}  // namespace tern::checkpoint

#endif  // TERN_RUNTIME_CHECKPOINT_TENSOR_TABLE_H_
