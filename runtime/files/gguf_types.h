// The tensor type numbers of GGUF and what tern makes of them.
//
// The numbers are no reliable names: forks of ggml have given 36 to 47 to other
// layouts than upstream (36 is I2_S in bitnet.cpp and nothing in ggml, 42 has
// meant three layouts).  So a type counts only together with the bytes that the
// tensor occupies; gguf.cc compares the two.
#ifndef TERN_RUNTIME_FILES_GGUF_TYPES_H_
#define TERN_RUNTIME_FILES_GGUF_TYPES_H_

#include <cstdint>
#include <string>

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

// kOther for a number that tern does not read.
StoredType GgufStoredType(std::uint32_t number);

// "I2_S"; for a number of several meanings all of them, for an unknown one the
// number itself.
std::string GgufTypeName(std::uint32_t number);

// Weights that share a block of bytes and so cannot run over a row's end; 1 for
// plain elements, and for I2_S, whose blocks are of the whole tensor.
std::uint64_t GgufBlock(StoredType type);

// Bytes of `elements` weights in whole blocks; not for kOther.
std::uint64_t GgufBytes(StoredType type, std::uint64_t elements);

}  // namespace tern::files

#endif  // TERN_RUNTIME_FILES_GGUF_TYPES_H_
