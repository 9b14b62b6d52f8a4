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
  const ScreenRows& screen;
  const kernels::DenseView& head;
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

// Estimates and bounds of all rows.  Those that are always needed get a bound
// that nothing prunes and an estimate that never counts among the best.
void ScreenAll(const Search& s, const kernels::ScreenInput& input) {
  ScreenScratch& scratch = s.scratch;
  ParallelFor(s.team, s.demand.rows, kBlock,
              [&](std::size_t begin, std::size_t end, std::size_t) {
                kernels::Screen(s.screen.View(), input, begin, end,
                                scratch.estimates.data(),
                                scratch.bounds.data());
                for (; begin < end; begin += kBlock) {
                  NoteLargest(s, begin / kBlock);
                }
              });
  for (const Token token : s.demand.always) {
    const auto row = static_cast<std::size_t>(token);
    if (token < 0 || row >= s.demand.rows) continue;
    scratch.estimates.data()[row] = -kInfinity;
    scratch.bounds.data()[row] = kInfinity;
  }
  for (const Token token : s.demand.always) {
    const auto row = static_cast<std::size_t>(token);
    if (token >= 0 && row < s.demand.rows) NoteLargest(s, row / kBlock);
  }
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
  if (first.size() < demand.best) return -kInfinity;
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

// Rows [begin, end): logits of those that may reach the cut.  How many.
std::size_t RefineBlock(const Search& s, std::size_t begin, std::size_t end,
                        double cut) {
  std::array<std::uint32_t, kRefineBlock> rows;
  std::size_t count = 0;
  for (std::size_t r = begin; r < end; ++r) {
    s.logits[r] = -kInfinity;
    rows[count] = static_cast<std::uint32_t>(r);
    count += s.scratch.bounds.data()[r] < cut ? 0 : 1;
  }
  kernels::RefineRows(s.head, s.x, rows.data(), count, s.logits);
  return count;
}

}  // namespace

ScreenScratch::ScreenScratch(std::size_t rows, std::size_t cols)
    : x(3 * kernels::ScreenWords(cols)),
      estimates(rows),
      bounds(rows),
      largest(rows),
      first(rows) {}

std::uint64_t ScreenScratch::Bytes(std::size_t rows, std::size_t cols) {
  return 3 * kernels::ScreenWords(cols) * sizeof(std::int16_t) +
         rows * (3 * sizeof(float) + sizeof(std::uint32_t));
}

std::optional<std::size_t> ScreenedLogits(const ScreenRows& screen,
                                          const kernels::DenseView& head,
                                          const float* x,
                                          const HeadDemand& demand,
                                          ScreenScratch& scratch, float* logits,
                                          Team& team) noexcept {
  const auto input = PrepareScreenInput(screen, x, scratch.x.data());
  if (!input) return std::nullopt;
  const Search s{screen, head, x, demand, scratch, logits, team};
  ScreenAll(s, *input);
  // Their logits bound from below what the demand asks for: the `best`-th
  // largest of some rows is at most that of all rows.
  const std::span<const std::uint32_t> first = PickFirst(s);
  ParallelFor(team, first.size(), 4,
              [&](std::size_t begin, std::size_t end, std::size_t) {
                kernels::RefineRows(head, x, first.data() + begin, end - begin,
                                    logits);
              });
  const double cut = Cut(s, first);
  std::atomic<std::size_t> refined = first.size();
  const std::size_t blocks = (demand.rows + kRefineBlock - 1) / kRefineBlock;
  ParallelForEach(team, blocks, [&](std::size_t block, std::size_t) {
    const std::size_t begin = block * kRefineBlock;
    refined +=
        RefineBlock(s, begin, std::min(begin + kRefineBlock, demand.rows), cut);
  });
  return refined.load();
}

}  // namespace tern
