// ScreenedLogits (screened.h) for many tokens in one reading of the screen, or
// of the stored head, whose rows are then rounded on the way (rounded_rows.h).
//
//   1. All rows meet all tokens (ternary_kernels/screen_texts.h), by first and
//      fine codes at once; the estimates lie where the logits will be.
//   2. For each token, which threads share: the rows with the largest estimates
//      exactly, and from these the cut.
//   3. Block by block of rows, for each token: the rows whose bounds reach its
//      cut exactly, -infinity for the others.  So a row that several tokens
//      need is in the cache after the first of them.
//
// A token's input is rounded to 127 levels, which leaves 0.8 % of its length
// for normal numbers; together with the 0.8 % that 8-bit codes leave of a row,
// 600 of 128256 random rows are still open for the 40 largest logits.  Where a
// few outlying columns would make it more than kMostError (screen.cc), it has
// two digits and costs twice as much.
#ifndef TERN_RUNTIME_HEAD_SCREENED_TEXTS_H_
#define TERN_RUNTIME_HEAD_SCREENED_TEXTS_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "runtime/aligned_buffer.h"
#include "runtime/head/screen.h"
#include "runtime/head/search.h"
#include "runtime/parallel.h"
#include "ternary_kernels/screen_texts.h"

namespace tern {

class ScreenTextsScratch {
 public:
  ScreenTextsScratch() = default;
  // For so many tokens at once, or more in several readings.
  ScreenTextsScratch(std::size_t rows, std::size_t cols, std::size_t tokens,
                     std::size_t num_threads);
  static std::uint64_t Bytes(std::size_t rows, std::size_t cols,
                             std::size_t tokens, std::size_t num_threads);

  struct Text {
    kernels::ScreenText screen;
    bool has_bound = false;
    double cut = 0;
  };
  struct Thread {
    Thread(std::size_t rows, std::size_t cols);
    TextDigits digits;
    AlignedBuffer<float> values;         // [rows]
    AlignedBuffer<float> estimates;      // [rows]
    AlignedBuffer<std::uint32_t> first;  // [rows]
  };
  std::vector<Text> texts;             // [tokens of a reading]
  AlignedBuffer<std::uint8_t> digits;  // [2 tokens][ScreenDigitBytes(cols)]
  AlignedBuffer<float> largest;        // [tokens][SearchBlocks(rows)]
  std::vector<Thread> threads;
};

// A head as 8-bit codes, and the length of its longest row.
struct ByteHead {
  kernels::ByteRowsView rows;
  float longest = 0;
};
// That of ScreenRows or RoundedRows, and the matrix that they were made of.
template <class Codes>
ByteHead MakeByteHead(const Codes& codes, const kernels::DenseView& stored) {
  return {codes.ByteView(stored), codes.longest};
}

struct ScreenedTextsArgs {
  const float* x = nullptr;  // [demands.size()][cols]
  std::span<const HeadDemand> demands;
  float* logits = nullptr;  // [demands.size()][stride]
  std::size_t stride = 0;
};
// Sets `rows` logits of each token, all demands being for the same rows: as
// ScreenedLogits does, but all of them where the screen has no bound.  Returns
// how many rows of the head were computed, of all tokens together.
std::size_t ScreenedTexts(const ByteHead& head, const ScreenedTextsArgs& args,
                          ScreenTextsScratch& scratch, Team& team) noexcept;

}  // namespace tern

#endif  // TERN_RUNTIME_HEAD_SCREENED_TEXTS_H_
