#include "runtime/files/gguf_types.h"

#include <algorithm>
#include <array>

#include "packing/i2_s.h"
#include "packing/q8_0.h"
#include "packing/tq2_0.h"

namespace tern::files {
namespace {

struct GgufType {
  std::uint32_t number;
  const char* name;
  StoredType type = StoredType::kOther;
};

constexpr std::array kTypes = {
    GgufType{0, "F32", StoredType::kF32},
    GgufType{1, "F16", StoredType::kF16},
    GgufType{2, "Q4_0"},
    GgufType{3, "Q4_1"},
    GgufType{6, "Q5_0"},
    GgufType{7, "Q5_1"},
    GgufType{8, "Q8_0", StoredType::kQ8_0},
    GgufType{9, "Q8_1"},
    GgufType{10, "Q2_K"},
    GgufType{11, "Q3_K"},
    GgufType{12, "Q4_K"},
    GgufType{13, "Q5_K"},
    GgufType{14, "Q6_K"},
    GgufType{15, "Q8_K"},
    GgufType{16, "IQ2_XXS"},
    GgufType{17, "IQ2_XS"},
    GgufType{18, "IQ3_XXS"},
    GgufType{19, "IQ1_S"},
    GgufType{20, "IQ4_NL"},
    GgufType{21, "IQ3_S"},
    GgufType{22, "IQ2_S"},
    GgufType{23, "IQ4_XS"},
    GgufType{24, "I8"},
    GgufType{25, "I16"},
    GgufType{26, "I32"},
    GgufType{27, "I64"},
    GgufType{28, "F64"},
    GgufType{29, "IQ1_M"},
    GgufType{30, "BF16", StoredType::kBf16},
    GgufType{34, "TQ1_0"},
    GgufType{35, "TQ2_0", StoredType::kTq2_0},
    GgufType{36, "I2_S", StoredType::kI2S},
    GgufType{37, "I8_S"},
    GgufType{38, "TL1"},
    GgufType{39, "TL2 or MXFP4"},
    GgufType{40, "NVFP4"},
    GgufType{41, "Q1_0"},
    GgufType{42, "Q2_0 or STQ1_0"},
    GgufType{43, "STQ1_0"},
    GgufType{134, "IQ1_BN"},
    GgufType{135, "IQ2_BN"},
    GgufType{142, "PQ2_0"},
    GgufType{143, "PTQ1_0"},
    GgufType{335, "IQ2_BN_R4"},
};

const GgufType* Find(std::uint32_t number) {
  const auto* found =
      std::find_if(kTypes.begin(), kTypes.end(),
                   [&](const GgufType& type) { return type.number == number; });
  return found == kTypes.end() ? nullptr : found;
}

}  // namespace

StoredType GgufStoredType(std::uint32_t number) {
  const GgufType* type = Find(number);
  return type == nullptr ? StoredType::kOther : type->type;
}

std::string GgufTypeName(std::uint32_t number) {
  const GgufType* type = Find(number);
  return type == nullptr ? std::to_string(number) : type->name;
}

std::uint64_t GgufBlock(StoredType type) {
  switch (type) {
    case StoredType::kQ8_0:
      return packing::kQ8Block;
    case StoredType::kTq2_0:
      return packing::kTq2Block;
    default:
      return 1;
  }
}

std::uint64_t GgufBytes(StoredType type, std::uint64_t elements) {
  switch (type) {
    case StoredType::kF32:
      return elements * 4;
    case StoredType::kF16:
    case StoredType::kBf16:
      return elements * 2;
    case StoredType::kQ8_0:
      return packing::Q8RowBytes(elements);
    case StoredType::kTq2_0:
      return packing::Tq2Bytes(1, elements);
    case StoredType::kI2S:
      return packing::I2SBytes(1, elements);
    case StoredType::kU8:
    case StoredType::kOther:
      break;
  }
  return elements;
}

}  // namespace tern::files
