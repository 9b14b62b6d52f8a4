// A tensor where it lies in a file, whatever the file's format.
#ifndef TERN_RUNTIME_FILES_STORED_TENSOR_H_
#define TERN_RUNTIME_FILES_STORED_TENSOR_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "runtime/files/input_file.h"

namespace tern::files {

// Element types and block layouts that some reader understands.
enum class StoredType {
  kF32,
  kF16,
  kBf16,  // plain floats
  kU8,    // bytes: packed ternary in Hugging Face layout
  kQ8_0,  // ggml blocks of 32
  kQ4_0,
  kQ6K,  // ggml blocks of 256
  kI2S,  // ternary: one file of packing/ for each
  kTq1_0,
  kTq2_0,
  kQ2_0,    // blocks of 64
  kPq2_0,   // the same in blocks of 128
  kPtq1_0,  // blocks of 128
  kIq1Bn,
  kIq2Bn,
  kT2,     // tern's own: the kernels' tiles
  kI64,    // checksums
  kOther,  // named by type_name, cannot be read
};

struct StoredTensor {
  std::string name;  // as the file spells it
  StoredType type = StoredType::kOther;
  std::string type_name;  // as the file's format calls it: "BF16", "I2_S", "36"
  std::vector<std::uint64_t> shape;  // outermost first: {rows, cols} or {size}
  std::shared_ptr<const InputFile> file;
  std::uint64_t offset = 0;  // from the start of the file
  std::uint64_t bytes = 0;   // checked: lies within the file, fits the type
  // Something is wrong with its place, type or size, and its reader has told
  // it: kOther, and its bytes are what there is room for, or 0.
  bool has_fault = false;

  [[nodiscard]] std::uint64_t ElementCount() const;
  // "model.safetensors: tensor 'model.norm.weight'", to start an error message.
  [[nodiscard]] std::string Place() const;
  [[nodiscard]] std::vector<std::uint8_t> ReadAll() const;
};

// Rows [row_begin, row_end) of a tensor of floats (kF32, kF16, kBf16) or of
// blocks of them (kQ8_0, kQ4_0, kQ6K): `out` has (row_end - row_begin) * cols
// elements.  A vector counts as one row.  Throws Error for other types, for
// values that are not finite and for reads that fail.
void ReadFloats(const StoredTensor& tensor, std::uint64_t row_begin,
                std::uint64_t row_end, float* out);

}  // namespace tern::files

#endif  // TERN_RUNTIME_FILES_STORED_TENSOR_H_
