#include "runtime/head/screened.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <limits>

namespace tern {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
// Rows that are refined by one thread at a time.
constexpr std::size_t kRefineBlock = 1024;
struct Search {
  const ScreenedHead& head;
  const float* x;
  const HeadDemand& demand;
  ScreenScratch& scratch;
  float* logits;
  Team& team;
};

// Estimates and bounds of all rows.
void ScreenAll(const Search& s, const kernels::ScreenInput& input) {
  ParallelFor(s.team, s.demand.rows, kSearchBlock,
              [&](std::size_t begin, std::size_t end, std::size_t) {
                kernels::Screen(s.head.screen.View(), input, begin, end,
                                s.scratch.estimates.data(),
                                s.scratch.bounds.data());
                for (; begin < end; begin += kSearchBlock) {
                  NoteLargest(s.scratch.estimates.data(), s.demand.rows,
                              begin / kSearchBlock, s.scratch.largest.data());
                }
              });
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
      largest(SearchBlocks(rows)),
      values(rows),
      first(rows) {}

std::uint64_t ScreenScratch::Bytes(std::size_t rows, std::size_t cols) {
  return kernels::ScreenInputSize(cols) * sizeof(std::int16_t) +
         (3 * rows + SearchBlocks(rows)) * sizeof(float) +
         rows * sizeof(std::uint32_t);
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
  float* estimates = scratch.estimates.data();
  const SearchScratch search{scratch.first.data(), scratch.values.data()};
  HideAlways(demand, estimates, scratch.largest.data());
  const std::span<const std::uint32_t> first =
      PickFirst(demand, estimates, scratch.largest.data(), search);
  ParallelFor(team, first.size(), 4,
              [&](std::size_t begin, std::size_t end, std::size_t) {
                kernels::RefineRows(head.stored, x, first.data() + begin,
                                    end - begin, logits);
              });
  const double cut = Cut(demand, first, logits, search);
  // Bounds, first and fine, are infinite then.
  KeepAlways(demand, estimates);
  KeepAlways(demand, scratch.bounds.data());
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
