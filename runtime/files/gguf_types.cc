#include "runtime/files/gguf_types.h"

#include <algorithm>
#include <array>

#include "packing/tiles.h"

namespace tern::files {
namespace {

struct TypeName {
  std::uint32_t number;
  const char* name;
};

// Types of which tern needs to know nothing but the name.
constexpr std::array kNames = {
    TypeName{3, "Q4_1"},          TypeName{6, "Q5_0"},
    TypeName{7, "Q5_1"},          TypeName{9, "Q8_1"},
    TypeName{10, "Q2_K"},         TypeName{11, "Q3_K"},
    TypeName{12, "Q4_K"},         TypeName{13, "Q5_K"},
    TypeName{15, "Q8_K"},         TypeName{16, "IQ2_XXS"},
    TypeName{17, "IQ2_XS"},       TypeName{18, "IQ3_XXS"},
    TypeName{19, "IQ1_S"},        TypeName{20, "IQ4_NL"},
    TypeName{21, "IQ3_S"},        TypeName{22, "IQ2_S"},
    TypeName{23, "IQ4_XS"},       TypeName{24, "I8"},
    TypeName{25, "I16"},          TypeName{26, "I32"},
    TypeName{28, "F64"},          TypeName{29, "IQ1_M"},
    TypeName{37, "I8_S"},         TypeName{38, "TL1"},
    TypeName{39, "TL2 or MXFP4"}, TypeName{40, "NVFP4"},
    TypeName{41, "Q1_0"},         TypeName{43, "STQ1_0"},
    TypeName{335, "IQ2_BN_R4"},
};

struct NumberedLayout {
  std::uint32_t number;
  GgufLayout layout;
};

// type, name, weights of a block, its bytes, bytes a row, bytes a tensor.
constexpr std::array kLayouts = {
    NumberedLayout{0, {StoredType::kF32, "F32", 1, 4}},
    NumberedLayout{1, {StoredType::kF16, "F16", 1, 2}},
    NumberedLayout{30, {StoredType::kBf16, "BF16", 1, 2}},
    NumberedLayout{2, {StoredType::kQ4_0, "Q4_0", 32, 18}},
    NumberedLayout{8, {StoredType::kQ8_0, "Q8_0", 32, 34}},
    NumberedLayout{14, {StoredType::kQ6K, "Q6_K", 256, 210}},
    NumberedLayout{34, {StoredType::kTq1_0, "TQ1_0", 256, 54}},
    NumberedLayout{35, {StoredType::kTq2_0, "TQ2_0", 256, 66}},
    NumberedLayout{36, {StoredType::kI2S, "I2_S", 4, 1, 0, 32}},
    NumberedLayout{42, {StoredType::kQ2_0, "Q2_0", 64, 18}},
    NumberedLayout{42, {StoredType::kPq2_0, "Q2_0 in blocks of 128", 128, 34}},
    NumberedLayout{42, {StoredType::kOther, "STQ1_0", 256, 42}},
    NumberedLayout{134, {StoredType::kIq1Bn, "IQ1_BN", 64, 13, 2}},
    NumberedLayout{135, {StoredType::kIq2Bn, "IQ2_BN", 64, 16, 4}},
    NumberedLayout{142, {StoredType::kPq2_0, "PQ2_0", 128, 34}},
    NumberedLayout{143, {StoredType::kPtq1_0, "PTQ1_0", 128, 28}},
    NumberedLayout{27, {StoredType::kI64, "I64", 1, 8}},
    // "t2" in ASCII, far from all numbers that others use.
    NumberedLayout{0x7432, {StoredType::kT2, "T2", 1}},
};

}  // namespace

std::uint64_t GgufLayout::Bytes(std::uint64_t rows, std::uint64_t cols) const {
  if (type == StoredType::kT2) return packing::TilesBytes(rows, cols);
  // Of I2_S, rows may end within a byte.
  const std::uint64_t blocks =
      tensor_bytes != 0 ? rows * cols / block : rows * (cols / block);
  return blocks * block_bytes + rows * row_bytes + tensor_bytes;
}

std::vector<GgufLayout> GgufLayouts(std::uint32_t number) {
  std::vector<GgufLayout> layouts;
  for (const NumberedLayout& entry : kLayouts) {
    if (entry.number == number) layouts.push_back(entry.layout);
  }
  return layouts;
}

std::vector<GgufLayout> AllGgufLayouts() {
  std::vector<GgufLayout> layouts;
  layouts.reserve(kLayouts.size());
  for (const NumberedLayout& entry : kLayouts) layouts.push_back(entry.layout);
  return layouts;
}

std::string GgufTypeName(std::uint32_t number) {
  std::string names;
  for (const GgufLayout& layout : GgufLayouts(number)) {
    names += (names.empty() ? "" : " or ") + std::string(layout.name);
  }
  if (!names.empty()) return names;
  const auto* found =
      std::find_if(kNames.begin(), kNames.end(),
                   [&](const TypeName& type) { return type.number == number; });
  return found == kNames.end() ? std::to_string(number) : found->name;
}

std::optional<GgufType> FindGgufType(StoredType type) {
  if (type == StoredType::kOther) return std::nullopt;
  // Of PQ2_0 the number of its own, 142, and not the one that collides.
  const auto found = std::find_if(
      kLayouts.rbegin(), kLayouts.rend(),
      [&](const NumberedLayout& entry) { return entry.layout.type == type; });
  if (found == kLayouts.rend()) return std::nullopt;
  return GgufType{found->number, found->layout};
}

}  // namespace tern::files
