#include <string>
#include <vector>

#include "runtime/files/gguf_places.h"
#include "runtime/files/gguf_types.h"
#include "runtime/inspect/inspection.h"

namespace tern::inspect {
namespace {

using files::GgufClaim;
using files::GgufFile;
using files::GgufLayout;
using files::StoredTensor;
using files::StoredType;

struct Matrix {
  std::uint64_t rows;
  std::uint64_t cols;
};

bool Fits(const GgufFile& file, const GgufClaim& claim, Matrix matrix,
          const GgufLayout& layout) {
  return layout.FitsRows(matrix.cols) &&
         files::FitsRoom(layout.Bytes(matrix.rows, matrix.cols), claim,
                         file.alignment);
}

// "34-byte blocks of 128"
std::string Describe(const GgufLayout& layout) {
  if (layout.block == 1) return layout.name;
  if (layout.tensor_bytes != 0) {
    return std::string(layout.name) + " (n/" + std::to_string(layout.block) +
           " + " + std::to_string(layout.tensor_bytes) + " bytes)";
  }
  return std::string(layout.name) + " (" + std::to_string(layout.block_bytes) +
         "-byte blocks of " + std::to_string(layout.block) + ")";
}

// "type 42: A fits, B does not fit: 64 bytes, where 96 are here"
std::string DescribeAll(const GgufFile& file, const GgufClaim& claim,
                        Matrix matrix, const std::vector<GgufLayout>& layouts) {
  std::string text;
  for (const GgufLayout& layout : layouts) {
    text += (text.empty() ? "" : ", ") + Describe(layout);
    if (Fits(file, claim, matrix, layout)) {
      text += " fits";
    } else if (!layout.FitsRows(matrix.cols)) {
      text += " does not fit: rows of " + std::to_string(matrix.cols) +
              " are no whole blocks";
    } else {
      text += " does not fit: " +
              std::to_string(layout.Bytes(matrix.rows, matrix.cols)) +
              " bytes, where " + std::to_string(claim.room) + " are here";
    }
  }
  return "type " + std::to_string(claim.type_number) + ": " + text;
}

// Each thread of bitnet.cpp's quantiser writes a tail of 32 bytes of its own
// for each piece of its work, and moves what follows.
std::string ManyTails(const GgufClaim& claim, Matrix matrix,
                      const std::vector<GgufLayout>& layouts) {
  if (layouts.size() != 1 || layouts[0].type != StoredType::kI2S) return "";
  const std::uint64_t needed = layouts[0].Bytes(matrix.rows, matrix.cols);
  const std::uint64_t tail = layouts[0].tensor_bytes;
  if (claim.room <= needed || (claim.room - needed) % tail != 0) return "";
  return "; " + std::to_string(claim.room - needed) + " bytes more, tails of " +
         std::to_string(tail) + " each: written by two threads or more?";
}

// What the bytes would be under another type number.
std::string OtherFits(const GgufFile& file, const GgufClaim& claim,
                      Matrix matrix) {
  std::string names;
  for (const GgufLayout& layout : files::AllGgufLayouts()) {
    if (!Fits(file, claim, matrix, layout) ||
        names.find(layout.name) != std::string::npos) {
      continue;
    }
    names += (names.empty() ? "" : ", ") + std::string(layout.name);
  }
  return names.empty() ? "" : "; as many bytes as " + names + " would take";
}

}  // namespace

std::string LayoutVerdict(const GgufFile& file, const StoredTensor& tensor) {
  const GgufClaim& claim = file.claims.at(tensor.name);
  if (claim.room == 0) return "none of its bytes are in the file";
  if (!claim.has_shape) return "no tensor of this file can have this shape";
  const std::vector<GgufLayout> layouts = files::GgufLayouts(claim.type_number);
  if (layouts.empty()) {
    return "type " + std::to_string(claim.type_number) + " is not read";
  }
  if (layouts.size() == 1 && !tensor.has_fault) return "";
  const std::uint64_t cols = tensor.shape.back();
  const Matrix matrix{tensor.ElementCount() / cols, cols};
  std::string verdict = DescribeAll(file, claim, matrix, layouts);
  if (tensor.has_fault) {
    const std::string tails = ManyTails(claim, matrix, layouts);
    verdict += tails.empty() ? OtherFits(file, claim, matrix) : tails;
  }
  return verdict;
}

}  // namespace tern::inspect
