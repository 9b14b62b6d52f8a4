#include "ternary_kernels/matmul.h"

#include <cstddef>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ternary_kernels/matmul.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "ternary_kernels/matmul-inl.h"

#if HWY_ONCE
namespace tern::kernels {
namespace {

HWY_EXPORT(TokenTileOnTarget);
HWY_EXPORT(MinTokensOnTarget);
HWY_EXPORT(ScratchBytesOnTarget);
HWY_EXPORT(MatMulOnTarget);

}  // namespace

std::size_t TokenTile() { return HWY_DYNAMIC_DISPATCH(TokenTileOnTarget)(); }

std::size_t MinTokensForMatMul() {
  return HWY_DYNAMIC_DISPATCH(MinTokensOnTarget)();
}

std::size_t MatMulScratchBytes(std::size_t rows) {
  return HWY_DYNAMIC_DISPATCH(ScratchBytesOnTarget)(rows);
}

void MatMul(const TernaryView& w, const MatMulArgs& args, void* scratch) {
  HWY_DYNAMIC_DISPATCH(MatMulOnTarget)(w, args, scratch);
}

}  // namespace tern::kernels
#endif  // HWY_ONCE
