#include "runtime/head/search.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

namespace tern {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
// Rows computed first beyond those asked for: estimates are not quite in the
// order of the logits.
constexpr std::size_t kMore = 24;

// Calls fn(row) for the rows that are always needed.
template <class Fn>
void ForEachAlways(const HeadDemand& demand, const Fn& fn) {
  for (const Token token : demand.always) {
    const auto row = static_cast<std::size_t>(token);
    if (token >= 0 && row < demand.rows) fn(row);
  }
}

// The `wanted`-th largest of the blocks' largest: at least as many rows are as
// large as that.
float LeastOfFirst(std::span<const float> largest, std::size_t wanted,
                   float* copy) {
  if (wanted >= largest.size()) return -kInfinity;
  std::copy(largest.begin(), largest.end(), copy);
  float* nth = copy + wanted - 1;
  std::nth_element(copy, nth, copy + largest.size(), std::greater<>());
  return *nth;
}

}  // namespace

void NoteLargest(const float* estimates, std::size_t rows, std::size_t block,
                 float* largest) {
  const std::size_t begin = block * kSearchBlock;
  const std::size_t end = std::min(begin + kSearchBlock, rows);
  // Several at once, of which compilers make vectors.
  float most[8];
  std::fill(most, most + 8, -kInfinity);
  std::size_t r = begin;
  for (; r + 8 <= end; r += 8) {
    for (std::size_t i = 0; i < 8; ++i) {
      most[i] = most[i] < estimates[r + i] ? estimates[r + i] : most[i];
    }
  }
  for (; r < end; ++r) most[0] = std::max(most[0], estimates[r]);
  largest[block] = *std::max_element(most, most + 8);
}

void HideAlways(const HeadDemand& demand, float* estimates, float* largest) {
  ForEachAlways(demand, [&](std::size_t row) { estimates[row] = -kInfinity; });
  ForEachAlways(demand, [&](std::size_t row) {
    NoteLargest(estimates, demand.rows, row / kSearchBlock, largest);
  });
}

void KeepAlways(const HeadDemand& demand, float* values) {
  ForEachAlways(demand, [&](std::size_t row) { values[row] = kInfinity; });
}

std::span<const std::uint32_t> PickFirst(const HeadDemand& demand,
                                         const float* estimates,
                                         const float* largest,
                                         const SearchScratch& scratch) {
  const std::size_t wanted = demand.best + kMore;
  const std::size_t blocks = SearchBlocks(demand.rows);
  const float least = LeastOfFirst({largest, blocks}, wanted, scratch.values);
  std::uint32_t* first = scratch.first;
  std::size_t count = 0;
  for (std::size_t block = 0; block < blocks; ++block) {
    if (largest[block] < least) continue;
    const std::size_t begin = block * kSearchBlock;
    const std::size_t end = std::min(begin + kSearchBlock, demand.rows);
    for (std::size_t r = begin; r < end; ++r) {
      if (estimates[r] >= least && estimates[r] > -kInfinity) {
        first[count++] = static_cast<std::uint32_t>(r);
      }
    }
  }
  if (count > wanted) {
    std::nth_element(first, first + wanted, first + count,
                     [&](std::uint32_t a, std::uint32_t b) {
                       return estimates[a] > estimates[b];
                     });
    count = wanted;
    std::sort(first, first + count);
  }
  return {first, count};
}

double Cut(const HeadDemand& demand, std::span<const std::uint32_t> first,
           const float* logits, const SearchScratch& scratch) {
  if (first.size() < demand.best) {
    return -std::numeric_limits<double>::infinity();
  }
  float* values = scratch.values;
  for (std::size_t i = 0; i < first.size(); ++i) values[i] = logits[first[i]];
  float* nth = values + demand.best - 1;
  std::nth_element(values, nth, values + first.size(), std::greater<>());
  if (demand.depth == 0) return *nth;
  // Less what the subtraction may have been rounded up by.
  const double size = std::fabs(*nth) + demand.depth;
  return *nth - demand.depth - 0x1.0p-50 * size;
}

}  // namespace tern
