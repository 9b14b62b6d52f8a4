#include "runtime/head/screened.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <functional>
#include <limits>

namespace tern {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
// Rows of which the largest estimate is noted, and by which threads share the
// screen.
constexpr std::size_t kBlock = 64;
// Rows that are refined by one thread at a time.
constexpr std::size_t kRefineBlock = 1024;
// Rows refined first beyond those asked for: estimates are not quite in the
// order of the logits.
constexpr std::size_t kMore = 24;

std::size_t Blocks(std::size_t rows) { return (rows + kBlock - 1) / kBlock; }

struct Search {
  const ScreenedHead& head;
  const float* x;
  const HeadDemand& demand;
  ScreenScratch& scratch;
  float* logits;
  Team& team;
};

void NoteLargest(const Search& s, std::size_t block) {
  const float* estimates = s.scratch.estimates.data();
  s.scratch.largest.data()[block] = *std::max_element(
      estimates + block * kBlock,
      estimates + std::min((block + 1) * kBlock, s.demand.rows));
}

// Estimates and bounds of all rows.
void ScreenAll(const Search& s, const kernels::ScreenInput& input) {
  ParallelFor(s.team, s.demand.rows, kBlock,
              [&](std::size_t begin, std::size_t end, std::size_t) {
                kernels::Screen(s.head.screen.View(), input, begin, end,
                                s.scratch.estimates.data(),
                                s.scratch.bounds.data());
                for (; begin < end; begin += kBlock) {
                  NoteLargest(s, begin / kBlock);
                }
              });
}

// Calls fn(row) for the rows that are always needed.
template <class Fn>
void ForEachAlways(const Search& s, const Fn& fn) {
  for (const Token token : s.demand.always) {
    const auto row = static_cast<std::size_t>(token);
    if (token >= 0 && row < s.demand.rows) fn(row);
  }
}

// Takes the rows that are always needed out of the choice of the best.
void HideAlways(const Search& s) {
  ForEachAlways(s, [&](std::size_t row) {
    s.scratch.estimates.data()[row] = -kInfinity;
  });
  ForEachAlways(s, [&](std::size_t row) { NoteLargest(s, row / kBlock); });
}

// Nothing prunes them: bounds, first and fine, are infinite.
void KeepAlways(const Search& s) {
  ForEachAlways(s, [&](std::size_t row) {
    s.scratch.estimates.data()[row] = kInfinity;
    s.scratch.bounds.data()[row] = kInfinity;
  });
}

// The rows with the largest estimates, ascending: demand.best and some more, or
// all that there are.
std::span<std::uint32_t> PickFirst(const Search& s) {
  ScreenScratch& scratch = s.scratch;
  const std::size_t wanted = s.demand.best + kMore;
  const std::size_t blocks = Blocks(s.demand.rows);
  // The wanted-th largest of the blocks' largest: at least as many rows are as
  // large as that.
  float least = -kInfinity;
  if (wanted < blocks) {
    float* copy = scratch.largest.data() + blocks;  // there are more rows
    std::copy_n(scratch.largest.data(), blocks, copy);
    float* nth = copy + wanted - 1;
    std::nth_element(copy, nth, copy + blocks, std::greater<>());
    least = *nth;
  }
  const float* estimates = scratch.estimates.data();
  std::uint32_t* first = scratch.first.data();
  std::size_t count = 0;
  for (std::size_t block = 0; block < blocks; ++block) {
    if (scratch.largest.data()[block] < least) continue;
    const std::size_t end = std::min((block + 1) * kBlock, s.demand.rows);
    for (std::size_t r = block * kBlock; r < end; ++r) {
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

// Logits below this are not needed.
double Cut(const Search& s, std::span<const std::uint32_t> first) {
  const HeadDemand& demand = s.demand;
  if (first.size() < demand.best) {
    return -std::numeric_limits<double>::infinity();
  }
  float* values = s.scratch.largest.data();
  for (std::size_t i = 0; i < first.size(); ++i) {
    values[i] = s.logits[first[i]];
  }
  float* nth = values + demand.best - 1;
  std::nth_element(values, nth, values + first.size(), std::greater<>());
  if (demand.depth == 0) return *nth;
  // Less what the subtraction may have been rounded up by.
  const double size = std::fabs(*nth) + demand.depth;
  return *nth - demand.depth - 0x1.0p-50 * size;
}

// Rows of [begin, end) whose bounds reach the cut.
using RowList = std::array<std::uint32_t, kRefineBlock>;

// Rows [begin, end): logits of those that may reach the cut.
ScreenedRows RefineBlock(const Search& s, const kernels::ScreenInput& input,
                         std::size_t begin, std::size_t end, double cut) {
  float* bounds = s.scratch.bounds.data();
  RowList rows;
  ScreenedRows count;
  for (std::size_t r = begin; r < end; ++r) {
    s.logits[r] = -kInfinity;
    rows[count.fine] = static_cast<std::uint32_t>(r);
    count.fine += bounds[r] < cut ? 0 : 1;
  }
  kernels::ScreenFine(s.head.screen.View(), input, rows.data(), count.fine,
                      s.scratch.estimates.data(), bounds);
  for (std::size_t i = 0; i < count.fine; ++i) {
    const std::uint32_t r = rows[i];
    rows[count.refined] = r;
    count.refined += bounds[r] < cut ? 0 : 1;
  }
  kernels::RefineRows(s.head.stored, s.x, rows.data(), count.refined, s.logits);
  return count;
}

}  // namespace

ScreenScratch::ScreenScratch(std::size_t rows, std::size_t cols)
    : x(kernels::ScreenInputSize(cols)),
      estimates(rows),
      bounds(rows),
      largest(rows),
      first(rows) {}

std::uint64_t ScreenScratch::Bytes(std::size_t rows, std::size_t cols) {
  return kernels::ScreenInputSize(cols) * sizeof(std::int16_t) +
         rows * (3 * sizeof(float) + sizeof(std::uint32_t));
}

std::optional<ScreenedRows> ScreenedLogits(const ScreenedHead& head,
                                           const float* x,
                                           const HeadDemand& demand,
                                           ScreenScratch& scratch,
                                           float* logits, Team& team) noexcept {
  const auto input = PrepareScreenInput(head.screen, x, scratch.x.data());
  if (!input) return std::nullopt;
  const Search s{head, x, demand, scratch, logits, team};
  ScreenAll(s, *input);
  HideAlways(s);
  // Their logits bound from below what the demand asks for: the `best`-th
  // largest of some rows is at most that of all rows.
  const std::span<const std::uint32_t> first = PickFirst(s);
  ParallelFor(team, first.size(), 4,
              [&](std::size_t begin, std::size_t end, std::size_t) {
                kernels::RefineRows(head.stored, x, first.data() + begin,
                                    end - begin, logits);
              });
  const double cut = Cut(s, first);
  KeepAlways(s);
  std::atomic<std::size_t> fine = 0;
  std::atomic<std::size_t> refined = first.size();
  const std::size_t blocks = (demand.rows + kRefineBlock - 1) / kRefineBlock;
  ParallelForEach(team, blocks, [&](std::size_t block, std::size_t) {
    const std::size_t begin = block * kRefineBlock;
    const ScreenedRows rows = RefineBlock(
        s, *input, begin, std::min(begin + kRefineBlock, demand.rows), cut);
    fine += rows.fine;
    refined += rows.refined;
  });
  return ScreenedRows{fine, refined};
}

}  // namespace tern
