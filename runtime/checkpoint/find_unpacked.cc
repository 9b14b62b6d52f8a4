#include "runtime/checkpoint/find_unpacked.h"

#include <algorithm>
#include <vector>

#include <tern/error.h>

#include "packing/unpacked.h"
#include "runtime/checkpoint/tensor_table.h"

namespace tern::checkpoint {
namespace {

bool IsZero(const std::vector<float>& row) {
  return std::all_of(row.begin(), row.end(), [](float w) { return w == 0; });
}

// The first row from `row` on that is not zero, which says nothing; false if
// there is none.
bool ReadTellingRow(const LinearSource& source, std::size_t row,
                    std::vector<float>& values) {
  for (; row < source.rows; ++row) {
    files::ReadFloats(source.weight, row, row + 1, values.data());
    if (!IsZero(values)) return true;
  }
  return false;
}

bool LooksUnpacked(const LinearSource& source) {
  const std::size_t looks = std::min<std::size_t>(4, source.rows);
  std::vector<float> row(source.cols);
  for (std::size_t i = 0; i < looks; ++i) {
    if (!ReadTellingRow(source, i * source.rows / looks, row)) return i > 0;
    if (!packing::LooksTernary(row)) return false;
  }
  return true;
}

void Look(LinearSource& source) {
  if (source.weight.file != nullptr && source.kind == LinearKind::kDense &&
      IsPlainFloat(source.weight.type) && LooksUnpacked(source)) {
    source.kind = LinearKind::kUnpacked;
  }
}

}  // namespace

void FindUnpacked(Checkpoint& checkpoint, const files::OnFault& on_fault) {
  const auto look = [&](LinearSource& source) {
    files::Reporting(on_fault, [&] { Look(source); });
  };
  look(checkpoint.embedding);
  if (checkpoint.head) look(*checkpoint.head);
  ForEachLinear(checkpoint, look);
  const LinearSource* dense = nullptr;
  bool has_ternary = false;
  ForEachLinear(checkpoint, [&](const LinearSource& source) {
    if (source.weight.file == nullptr) return;
    if (source.kind != LinearKind::kDense) {
      has_ternary = true;
    } else if (dense == nullptr) {
      dense = &source;
    }
  });
  if (has_ternary && dense != nullptr) {
    on_fault(Error(ErrorCode::kUnsupported,
                   dense->weight.Place() +
                       ": is not ternary, though other layers are; the file is "
                       "damaged, fetch it again (tern runs models whose layers "
                       "are all ternary, or none)"));
  }
}

}  // namespace tern::checkpoint
