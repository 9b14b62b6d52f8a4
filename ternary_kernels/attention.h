// Causal attention over a key/value cache in tiles, with an online softmax.
//
// softmax(scale * q . keys) . values never holds a row of scores as long as the
// context: keys and values are taken block by block, and every query keeps a
// running maximum, a sum of exponentials and a mix of values, which are scaled
// down when a block brings a new maximum (Milakov and Gimelshein 2018, arXiv
// 1805.02867; blocks as in FlashAttention, Dao et al. 2022, arXiv 2205.14135).
// Many queries share a block: all heads of a group, of several tokens.
//
// Every kPartPositions positions the running state of a query starts anew, and
// the states of these parts are combined in their order.  So a long context can
// be split over threads (as in Flash-Decoding, Dao et al. 2023) with no
// influence on the result.
//
// What holds about bits: blocks and parts lie at fixed positions, and for each
// query the same operations follow one another whatever else is in the tile. On
// one instruction set a query's result depends on its own values and on those
// positions of the cache that it sees, as long as what is stored is finite: not
// on the other queries of the tile, on later positions, or on whether parts
// were attended to in one call or many.
//
// Any thread, no allocation, no exception.
#ifndef TERN_TERNARY_KERNELS_ATTENTION_H_
#define TERN_TERNARY_KERNELS_ATTENTION_H_

#include <cstddef>

#include "ternary_kernels/cache_block.h"

namespace tern::kernels {

// Positions whose attention is one unbroken computation.
inline constexpr std::size_t kPartPositions = 256;

// Consecutive tokens and the query heads of each that share a key/value head.
// Token t is at `position` + t and sees everything up to itself.
struct AttentionTile {
  const float* query = nullptr;  // [tokens][stride], of it [group][head_dim]
  float* out = nullptr;          // likewise; may be `query`
  std::size_t stride = 0;        // floats from one token to the next
  std::size_t tokens = 0;        // at most MostTileTokens(group)
  std::size_t group = 0;
  std::size_t position = 0;
  float scale = 1;  // of the dot products
};

std::size_t MostTileTokens(std::size_t group);
// Parts that some token of the tile sees.
std::size_t PartsSeen(const AttentionTile& tile);
// Floats of scratch for tiles of up to `tokens` tokens, whatever the context.
std::size_t AttentionScratchSize(std::size_t tokens, std::size_t group,
                                 std::size_t head_dim);
// Floats of the state that a tile has after a part.
std::size_t PartStateSize(std::size_t tokens, std::size_t group,
                          std::size_t head_dim);

// out = softmax(scale * query . keys) . values.  `scratch` as above, aligned to
// 64 bytes.
void Attend(const HeadCache& cache, const AttentionTile& tile, float* scratch);

// The same in steps, which may run on different threads: AttendPart makes the
// state of one part; CombineParts takes the states of parts [first, first +
// count), one after another, into `total` (a state, too) and writes `out` when
// they include the last.  All parts must be combined, in their order; the first
// call sets `total`.
void AttendPart(const HeadCache& cache, const AttentionTile& tile,
                std::size_t part, float* scratch, float* state);
void CombineParts(std::size_t head_dim, const AttentionTile& tile,
                  const float* states, std::size_t first, std::size_t count,
                  float* total);

}  // namespace tern::kernels

#endif  // TERN_TERNARY_KERNELS_ATTENTION_H_
