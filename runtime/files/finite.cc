#include "runtime/files/finite.h"

#include <algorithm>
#include <cstring>
#include <string>

#include <tern/error.h>

#include "packing/q4_0.h"
#include "packing/q6_k.h"
#include "packing/q8_0.h"

namespace tern::files {
namespace {

// Exponents of nothing but ones.
constexpr std::uint32_t kF32Exponent = 0x7F800000;
constexpr std::uint16_t kF16Exponent = 0x7C00;
constexpr std::uint16_t kBf16Exponent = 0x7F80;

// Index of the first value with all bits of `exponent` set, or `count`; values
// are `stride` bytes apart, the first at `place`.  A whole block is looked at
// before any decision, so that the loop vectorises: an embedding of 656 MB
// takes about 0.1 s.
template <class T>
std::size_t FirstNotFinite(std::span<const std::uint8_t> bytes,
                           std::size_t stride, T exponent,
                           std::size_t place = 0) {
  constexpr std::size_t kBlock = 1024;
  const std::size_t count = bytes.size() / stride;
  bytes = bytes.subspan(std::min(place, bytes.size()));
  for (std::size_t begin = 0; begin < count; begin += kBlock) {
    const std::size_t end = std::min(begin + kBlock, count);
    std::size_t bad = 0;
    for (std::size_t i = begin; i < end; ++i) {
      T value;
      std::memcpy(&value, bytes.data() + i * stride, sizeof(value));
      bad += (value & exponent) == exponent ? 1 : 0;
    }
    for (std::size_t i = begin; bad != 0 && i < end; ++i) {
      T value;
      std::memcpy(&value, bytes.data() + i * stride, sizeof(value));
      if ((value & exponent) == exponent) return i;
    }
  }
  return count;
}

}  // namespace

void RequireFinite(const StoredTensor& tensor, std::uint64_t first,
                   std::span<const std::uint8_t> bytes) {
  std::size_t stride = 0;
  std::size_t bad = 0;
  const char* unit = "element ";
  switch (tensor.type) {
    case StoredType::kF32:
      stride = sizeof(float);
      bad = FirstNotFinite(bytes, stride, kF32Exponent);
      break;
    case StoredType::kF16:
      stride = sizeof(std::uint16_t);
      bad = FirstNotFinite(bytes, stride, kF16Exponent);
      break;
    case StoredType::kBf16:
      stride = sizeof(std::uint16_t);
      bad = FirstNotFinite(bytes, stride, kBf16Exponent);
      break;
    case StoredType::kQ8_0:
      stride = packing::kQ8BlockBytes;
      bad = FirstNotFinite(bytes, stride, kF16Exponent);
      unit = "the scale of block ";
      break;
    case StoredType::kQ4_0:
      stride = packing::kQ4BlockBytes;
      bad = FirstNotFinite(bytes, stride, kF16Exponent);
      unit = "the scale of block ";
      break;
    case StoredType::kQ6K:
      stride = packing::kQ6BlockBytes;
      bad = FirstNotFinite(bytes, stride, kF16Exponent,
                           stride - sizeof(std::uint16_t));
      unit = "the scale of block ";
      break;
    default:
      throw Error(ErrorCode::kUnsupported,
                  tensor.Place() + ": type " + tensor.type_name +
                      " holds no floats; convert the tensor to a float type");
  }
  if (bad == bytes.size() / stride) return;
  throw Error(ErrorCode::kMalformed,
              tensor.Place() + ": " + unit +
                  std::to_string(first / stride + bad) +
                  " is not a finite number; the file is damaged or the "
                  "training diverged",
              tensor.offset + first + bad * stride);
}

}  // namespace tern::files
