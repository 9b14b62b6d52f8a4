// From estimates of a token's logits to the cut: what a logit must reach to be
// needed.
//
// The rows with the largest estimates are computed exactly.  Their `best`-th
// logit, less `depth`, is the cut: the `best`-th largest of some rows is at
// most that of all rows, so no row that the demand asks for lies below it,
// whichever rows were picked.
#ifndef TERN_RUNTIME_HEAD_SEARCH_H_
#define TERN_RUNTIME_HEAD_SEARCH_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include <tern/tokenizer.h>

namespace tern {

// Which logits are needed: of rows [0, rows), those in `always`, and each that
// is at least the `best`-th largest of the others less `depth`.
struct HeadDemand {
  std::size_t rows = 0;
  std::size_t best = 1;
  double depth = 0;
  // May repeat ids and name rows that there are not.
  std::span<const Token> always;
};

// Rows of which the largest estimate is noted.
inline constexpr std::size_t kSearchBlock = 64;
constexpr std::size_t SearchBlocks(std::size_t rows) {
  return (rows + kSearchBlock - 1) / kSearchBlock;
}

// largest[block] = that of the block's estimates.
void NoteLargest(const float* estimates, std::size_t rows, std::size_t block,
                 float* largest);

// Takes the rows that are always needed out of the choice of the best:
// estimates [rows], largest [SearchBlocks(rows)].
void HideAlways(const HeadDemand& demand, float* estimates, float* largest);

// Nothing shall prune those: values[row] = infinity.
void KeepAlways(const HeadDemand& demand, float* values);

// Working memory, [rows] each.
struct SearchScratch {
  std::uint32_t* first = nullptr;
  float* values = nullptr;
};

// Rows with the largest estimates, ascending, in scratch.first: demand.best and
// some more, or all that there are.
std::span<const std::uint32_t> PickFirst(const HeadDemand& demand,
                                         const float* estimates,
                                         const float* largest,
                                         const SearchScratch& scratch);

// Logits below this are not needed: logits [rows], of which those of `first`
// are right.
double Cut(const HeadDemand& demand, std::span<const std::uint32_t> first,
           const float* logits, const SearchScratch& scratch);

}  // namespace tern

#endif  // TERN_RUNTIME_HEAD_SEARCH_H_
