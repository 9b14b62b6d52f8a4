#include "ternary_kernels/float_sums.h"

#include <cstddef>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ternary_kernels/float_sums.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "ternary_kernels/float_matmul-inl.h"
#include "ternary_kernels/float_matvec-inl.h"

#if HWY_ONCE
namespace tern::kernels {
namespace {

HWY_EXPORT(MatVecOnTarget);
HWY_EXPORT(TokenTileOnTarget);
HWY_EXPORT(MinTokensOnTarget);
HWY_EXPORT(ScratchBytesOnTarget);
HWY_EXPORT(MatMulOnTarget);

}  // namespace

void FloatMatVec(  // NOLINT(readability-function-size): two ranges, four
                   // numbers
    const TernaryView& w, const float* x, std::size_t row_begin,
    std::size_t row_end, std::size_t col_begin, std::size_t col_end,
    float* sums) {
  HWY_DYNAMIC_DISPATCH(MatVecOnTarget)
  (w, {.x = x,
       .x_stride = w.cols,
       .tokens = 1,
       .row_begin = row_begin,
       .row_end = row_end,
       .col_begin = col_begin,
       .col_end = col_end,
       .sums = sums,
       .sums_stride = w.rows});
}

std::size_t FloatTokenTile() {
  return HWY_DYNAMIC_DISPATCH(TokenTileOnTarget)();
}

std::size_t MinTokensForFloatMatMul() {
  return HWY_DYNAMIC_DISPATCH(MinTokensOnTarget)();
}

std::size_t FloatMatMulScratchBytes(std::size_t rows) {
  return HWY_DYNAMIC_DISPATCH(ScratchBytesOnTarget)(rows);
}

void FloatMatMul(const TernaryView& w, const FloatMatMulArgs& args,
                 void* scratch) {
  HWY_DYNAMIC_DISPATCH(MatMulOnTarget)(w, args, scratch);
}

}  // namespace tern::kernels
#endif  // HWY_ONCE
