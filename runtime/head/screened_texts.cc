#include "runtime/head/screened_texts.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "ternary_kernels/screen_texts.h"

namespace tern {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
// Tokens of one reading, of two digits at most.
constexpr std::size_t kMostTexts = kernels::kMostScreenDigits / 2;
static_assert(kMostTexts <= 32, "a bit each");
// Rows that one thread refines at a time.
constexpr std::size_t kRefineRows = 256;

std::size_t TextsAtOnce(std::size_t tokens) {
  return std::min(tokens, kMostTexts);
}

using Text = ScreenTextsScratch::Text;
using Thread = ScreenTextsScratch::Thread;

// One reading.
struct Reading {
  const ByteHead& head;
  const float* x;  // [demands.size()][cols]
  std::span<const HeadDemand> demands;
  ScreenTextsScratch& scratch;
  float* logits;  // [demands.size()][stride]
  std::size_t stride;
  Team& team;

  [[nodiscard]] std::size_t rows() const { return demands.front().rows; }
  [[nodiscard]] const float* Input(std::size_t t) const {
    return x + t * head.rows.cols;
  }
  [[nodiscard]] float* Logits(std::size_t t) const {
    return logits + t * stride;
  }
  [[nodiscard]] float* Largest(std::size_t t) const {
    return scratch.largest.data() + t * SearchBlocks(rows());
  }
  // The i-th digit of all.
  [[nodiscard]] std::uint8_t* Digit(std::size_t i) const {
    return scratch.digits.data() +
           i * kernels::ScreenDigitBytes(head.rows.cols);
  }
};

// A token's digits, at places 2 t and 2 t + 1.
void Prepare(const Reading& r, std::size_t t, Thread& thread) {
  const std::size_t cols = r.head.rows.cols;
  Text& text = r.scratch.texts[t];
  const auto screen =
      PrepareScreenText(cols, r.head.longest, r.Input(t), thread.digits);
  text.has_bound = screen.has_value();
  // A token without a bound is screened for nothing: it hardly ever happens.
  text.screen = screen.value_or(kernels::ScreenText{});
  kernels::PackScreenDigit(r.head.rows, thread.digits.first.data(),
                           r.Digit(2 * t));
  if (text.screen.digits == 2) {
    kernels::PackScreenDigit(r.head.rows, thread.digits.second.data(),
                             r.Digit(2 * t + 1));
  }
}

// All digits without gaps.
void CloseUp(const Reading& r) {
  std::size_t next = 0;
  for (std::size_t t = 0; t < r.demands.size(); ++t) {
    const std::size_t digits = r.scratch.texts[t].screen.digits;
    std::memmove(r.Digit(next), r.Digit(2 * t),
                 digits * kernels::ScreenDigitBytes(r.head.rows.cols));
    next += digits;
  }
}

// Estimates of all rows, where the logits will be.
void ScreenAll(const Reading& r) {
  std::array<kernels::ScreenText, kMostTexts> texts;
  for (std::size_t t = 0; t < r.demands.size(); ++t) {
    texts[t] = r.scratch.texts[t].screen;
  }
  const kernels::ScreenTextsArgs args{.digits = r.scratch.digits.data(),
                                      .texts = texts.data(),
                                      .count = r.demands.size(),
                                      .estimates = r.logits,
                                      .stride = r.stride};
  const auto screen = [&](std::size_t begin, std::size_t end, std::size_t) {
    for (; begin < end; begin += kSearchBlock) {
      kernels::ScreenTexts(r.head.rows, args, begin,
                           std::min(begin + kSearchBlock, end));
      for (std::size_t t = 0; t < r.demands.size(); ++t) {
        NoteLargest(r.Logits(t), r.rows(), begin / kSearchBlock, r.Largest(t));
      }
    }
  };
  ParallelFor(r.team, r.rows(), kSearchBlock, screen);
}

// The cut of a token; returns how many rows this computed.  Estimates are as
// before then, but for the rows that are always needed.
std::size_t FindCut(const Reading& r, std::size_t t, Thread& thread) {
  Text& text = r.scratch.texts[t];
  text.cut = -std::numeric_limits<double>::infinity();
  if (!text.has_bound) return 0;
  const HeadDemand& demand = r.demands[t];
  float* logits = r.Logits(t);
  const SearchScratch search{thread.first.data(), thread.values.data()};
  HideAlways(demand, logits, r.Largest(t));
  const std::span<const std::uint32_t> first =
      PickFirst(demand, logits, r.Largest(t), search);
  float* estimates = thread.estimates.data();
  for (std::size_t i = 0; i < first.size(); ++i) {
    estimates[i] = logits[first[i]];
  }
  kernels::RefineRows(r.head.rows.stored, r.Input(t), first.data(),
                      first.size(), logits);
  text.cut = Cut(demand, first, logits, search);
  for (std::size_t i = 0; i < first.size(); ++i) {
    logits[first[i]] = estimates[i];
  }
  KeepAlways(demand, logits);
  return first.size();
}

// At most `value`.
float RoundDown(double value) {
  const auto near = static_cast<float>(value);
  return near > value ? std::nextafter(near, -kInfinity) : near;
}

// Logits of rows [begin, end) that may reach their token's cut; returns how
// many.
std::size_t RefineBlock(const Reading& r, std::size_t begin, std::size_t end) {
  std::array<std::uint32_t, kRefineRows> masks{};
  for (std::size_t t = 0; t < r.demands.size(); ++t) {
    const Text& text = r.scratch.texts[t];
    float* logits = r.Logits(t);
    kernels::OpenRows(
        r.head.rows,
        {text.screen.input, logits, RoundDown(text.cut), std::uint32_t{1} << t},
        begin, end, masks.data());
    std::fill(logits + begin, logits + end, -kInfinity);
  }
  kernels::RefineOpenRows(r.head.rows.stored, {.masks = masks.data(),
                                               .row_begin = begin,
                                               .row_end = end,
                                               .x = r.x,
                                               .y = r.logits,
                                               .y_stride = r.stride});
  std::size_t refined = 0;
  for (const std::uint32_t mask : masks) {
    refined += static_cast<std::size_t>(std::popcount(mask));
  }
  return refined;
}

std::size_t Read(const Reading& r) {
  std::vector<Thread>& threads = r.scratch.threads;
  const std::size_t texts = r.demands.size();
  std::atomic<std::size_t> refined = 0;
  ParallelForEach(r.team, texts, [&](std::size_t t, std::size_t thread) {
    Prepare(r, t, threads[thread]);
  });
  CloseUp(r);
  ScreenAll(r);
  ParallelForEach(r.team, texts, [&](std::size_t t, std::size_t thread) {
    refined += FindCut(r, t, threads[thread]);
  });
  const std::size_t blocks = (r.rows() + kRefineRows - 1) / kRefineRows;
  ParallelForEach(r.team, blocks, [&](std::size_t block, std::size_t) {
    const std::size_t begin = block * kRefineRows;
    refined += RefineBlock(r, begin, std::min(begin + kRefineRows, r.rows()));
  });
  return refined;
}

}  // namespace

ScreenTextsScratch::Thread::Thread(std::size_t rows, std::size_t cols)
    : digits(cols), values(rows), estimates(rows), first(rows) {}

ScreenTextsScratch::ScreenTextsScratch(std::size_t rows, std::size_t cols,
                                       std::size_t tokens,
                                       std::size_t num_threads)
    : texts(TextsAtOnce(tokens)),
      digits(2 * TextsAtOnce(tokens) * kernels::ScreenDigitBytes(cols)),
      largest(TextsAtOnce(tokens) * SearchBlocks(rows)) {
  threads.reserve(num_threads);
  for (std::size_t i = 0; i < num_threads; ++i) {
    threads.emplace_back(rows, cols);
  }
}

std::uint64_t ScreenTextsScratch::Bytes(std::size_t rows, std::size_t cols,
                                        std::size_t tokens,
                                        std::size_t num_threads) {
  const std::size_t texts = TextsAtOnce(tokens);
  return texts * (sizeof(Text) + 2 * kernels::ScreenDigitBytes(cols) +
                  SearchBlocks(rows) * sizeof(float)) +
         num_threads *
             (sizeof(Thread) +
              2 * kernels::ScreenInputSize(cols) * sizeof(std::int16_t) +
              rows * (2 * sizeof(float) + sizeof(std::uint32_t)));
}

std::size_t ScreenedTexts(const ByteHead& head, const ScreenedTextsArgs& args,
                          ScreenTextsScratch& scratch, Team& team) noexcept {
  std::size_t refined = 0;
  const std::size_t texts = args.demands.size();
  const std::size_t most = scratch.texts.size();
  for (std::size_t t = 0; t < texts; t += most) {
    refined +=
        Read({head, args.x + t * head.rows.cols,
              args.demands.subspan(t, std::min(most, texts - t)), scratch,
              args.logits + t * args.stride, args.stride, team});
  }
  return refined;
}

}  // namespace tern
