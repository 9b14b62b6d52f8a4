// The permutation that I2_S, TQ2_0, IQ2_BN and the Hugging Face layout have in
// common, for the readers and writers of this folder only.
//
// All spread 128 codes over 32 bytes so that byte p holds codes from four runs
// of 32 (or 64 over 16, which is the same twice): slot s (bits 2s, 2s+1) of
// byte p is code p of run s.  The
// canonical form (ternary_matrix.h) wants each run to itself, four neighbours
// in a byte.  Both are matrix transpositions, done here on 64-bit words without
// a look at any single code: about 80 operations for 128 codes.
#ifndef TERN_PACKING_INTERLEAVE_H_
#define TERN_PACKING_INTERLEAVE_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "packing/transpose.h"

namespace tern::packing {

inline constexpr std::size_t kInterleavedBytes = 32;  // 128 codes
inline constexpr std::uint8_t kZeroCodes = 0x55;      // four codes 1
inline constexpr std::uint64_t kZeroCodes8 = 0x5555555555555555U;

// Codes of run s in canonical order: word s, byte p / 4, bits 2 * (p % 4).
using Runs = std::array<std::uint64_t, 4>;

// In each half of the word, slot s of byte t <-> slot t of byte s.
inline std::uint64_t TransposeSlots(std::uint64_t word) {
  // Blocks of 1x1 slots: slot 1 of an even byte <-> slot 0 of the next byte.
  std::uint64_t swap = (word ^ (word >> 6)) & 0x00cc00cc00cc00ccU;
  word ^= swap ^ (swap << 6);
  // Blocks of 2x2: slots 2, 3 of bytes 0, 1 <-> slots 0, 1 of bytes 2, 3.
  swap = (word ^ (word >> 12)) & 0x0000f0f00000f0f0U;
  return word ^ swap ^ (swap << 12);
}

// In each half of the words, byte b of word w <-> byte w of word b.
inline void TransposeBytes(Runs& words) {
  constexpr std::uint64_t kEvenBytes = 0x00ff00ff00ff00ffU;
  ExchangeBits(words[0], words[1], 8, kEvenBytes);
  ExchangeBits(words[2], words[3], 8, kEvenBytes);
  constexpr std::uint64_t kEvenPairs = 0x0000ffff0000ffffU;
  ExchangeBits(words[0], words[2], 16, kEvenPairs);
  ExchangeBits(words[1], words[3], 16, kEvenPairs);
}

// bytes [32] -> four runs of 32 codes.
inline Runs SplitRuns(const std::uint8_t* bytes) {
  Runs words;
  for (std::size_t w = 0; w < 4; ++w) {
    std::uint32_t low = 0;
    std::uint32_t high = 0;
    std::memcpy(&low, bytes + 4 * w, 4);
    std::memcpy(&high, bytes + 16 + 4 * w, 4);
    words[w] = TransposeSlots(low | static_cast<std::uint64_t>(high) << 32);
  }
  TransposeBytes(words);
  return words;
}

// The inverse: four runs of 32 codes -> bytes [32].
inline void JoinRuns(Runs words, std::uint8_t* bytes) {
  TransposeBytes(words);
  for (std::size_t w = 0; w < 4; ++w) {
    const std::uint64_t word = TransposeSlots(words[w]);
    const auto low = static_cast<std::uint32_t>(word);
    const auto high = static_cast<std::uint32_t>(word >> 32);
    std::memcpy(bytes + 4 * w, &low, 4);
    std::memcpy(bytes + 16 + 4 * w, &high, 4);
  }
}

// Not zero if one of the 32 codes is 3.
inline std::uint64_t CodeThrees(std::uint64_t codes) {
  return codes & (codes >> 1) & kZeroCodes8;
}
inline std::uint64_t CodeThrees(const Runs& runs) {
  return CodeThrees(runs[0]) | CodeThrees(runs[1]) | CodeThrees(runs[2]) |
         CodeThrees(runs[3]);
}

// Blocks of 64 codes in 16 bytes, four runs of 16 each, run 0 in slot 0, or in
// slot 3 if `high_first`: all blocks of `from` [bytes] in canonical order to
// `codes` [bytes].  bytes is a multiple of 16.  Not zero if there was a code 3.
inline std::uint64_t UnpackShortBlocks(const std::uint8_t* from,
                                       std::size_t bytes, bool high_first,
                                       std::uint8_t* codes) {
  std::uint64_t threes = 0;
  for (std::size_t b = 0; b < bytes; b += kInterleavedBytes) {
    const std::size_t count = std::min(bytes - b, kInterleavedBytes);
    std::array<std::uint8_t, kInterleavedBytes> pair;
    pair.fill(kZeroCodes);  // the last block may be alone
    std::memcpy(pair.data(), from + b, count);
    const Runs runs = SplitRuns(pair.data());
    threes |= CodeThrees(runs);
    // The low half of a run is the first block's, the high half the second's.
    std::array<std::uint32_t, 8> in_order;
    for (std::size_t i = 0; i < 4; ++i) {
      const std::uint64_t run = runs[high_first ? 3 - i : i];
      in_order[i] = static_cast<std::uint32_t>(run);
      in_order[4 + i] = static_cast<std::uint32_t>(run >> 32);
    }
    std::memcpy(codes + b, in_order.data(), count);
  }
  return threes;
}

// One packed row `from` [cols], a byte for each column with slot s for the
// output row rows[s] [RowBytes(cols)], which is null for a row that does not
// exist.  Not zero if an existing row has a code 3.
inline std::uint64_t UnpackFourRows(const std::uint8_t* from, std::size_t cols,
                                    const std::array<std::uint8_t*, 4>& rows) {
  std::uint64_t threes = 0;
  for (std::size_t c = 0; c < cols; c += kInterleavedBytes) {
    const std::size_t count = std::min(cols - c, kInterleavedBytes);
    std::array<std::uint8_t, kInterleavedBytes> tail;
    const std::uint8_t* bytes = from + c;
    if (count < kInterleavedBytes) {  // the end of a row: pad with zeros
      tail.fill(kZeroCodes);
      std::memcpy(tail.data(), bytes, count);
      bytes = tail.data();
    }
    const Runs runs = SplitRuns(bytes);
    for (std::size_t s = 0; s < 4; ++s) {
      if (rows[s] == nullptr) continue;
      threes |= CodeThrees(runs[s]);
      if (count == kInterleavedBytes) {
        std::memcpy(rows[s] + c / 4, &runs[s], 8);  // of known size: one store
      } else {
        std::memcpy(rows[s] + c / 4, &runs[s], (count + 3) / 4);
      }
    }
  }
  return threes;
}

}  // namespace tern::packing

#endif  // TERN_PACKING_INTERLEAVE_H_
