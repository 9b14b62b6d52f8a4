// The tensor type numbers of GGUF and what tern makes of them.
//
// The numbers are no reliable names: forks of ggml have given 36 to 47 to other
// layouts than upstream (36 is I2_S in bitnet.cpp and was IQ4_NL_4_4 in ggml,
// 42 has meant three layouts).  So a type counts only together with the bytes
// that the tensor occupies: gguf.cc takes the one layout of a number that they
// fit.
#ifndef TERN_RUNTIME_FILES_GGUF_TYPES_H_
#define TERN_RUNTIME_FILES_GGUF_TYPES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "runtime/files/stored_tensor.h"

namespace tern::files {

// The numbers that GGUF gives to the types of its metadata values.
enum ValueType : std::uint32_t {
  kUint8 = 0,
  kInt8 = 1,
  kUint16 = 2,
  kInt16 = 3,
  kUint32 = 4,
  kInt32 = 5,
  kFloat32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
  kUint64 = 10,
  kInt64 = 11,
  kFloat64 = 12,
};

inline bool IsNumber(std::uint32_t type) {
  return type <= kFloat64 && type != kBool && type != kString && type != kArray;
}

// A layout of tensor data.  Its blocks lie within rows, except those of I2_S,
// which is a layout of the whole tensor.  T2 is one of tiles (packing/tiles.h),
// for any rows and columns.
struct GgufLayout {
  StoredType type = StoredType::kOther;  // kOther: known, but not read
  const char* name = nullptr;
  std::uint64_t block = 1;         // weights
  std::uint64_t block_bytes = 0;   // of each
  std::uint64_t row_bytes = 0;     // beside the blocks, once a row
  std::uint64_t tensor_bytes = 0;  // beside the blocks, once

  // No block would run over a row's end.
  [[nodiscard]] bool FitsRows(std::uint64_t cols) const {
    return tensor_bytes != 0 || cols % block == 0;
  }
  // Of a tensor of rows of `cols` weights, which FitsRows.
  [[nodiscard]] std::uint64_t Bytes(std::uint64_t rows,
                                    std::uint64_t cols) const;
};

// What a number has been used for; empty for one whose layouts tern knows
// nothing of but the name.
std::vector<GgufLayout> GgufLayouts(std::uint32_t number);

// Of all numbers.
std::vector<GgufLayout> AllGgufLayouts();

// "I2_S"; for a number of several meanings all of them, for an unknown one the
// number itself.
std::string GgufTypeName(std::uint32_t number);

// The layout of a type other than kU8 and kOther, and the number that upstream
// ggml or, for what it has not, the layout's author gives it.
struct GgufType {
  std::uint32_t number = 0;
  GgufLayout layout;
};
std::optional<GgufType> FindGgufType(StoredType type);

}  // namespace tern::files

#endif  // TERN_RUNTIME_FILES_GGUF_TYPES_H_
