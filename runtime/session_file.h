// The bytes of a saved session.  All numbers are little-endian.
//
//   offset  bytes
//        0      8  "ternsess"
//        8      4  version of this layout, 1
//       12      4  type of the cache: 0 f32, 1 f16, 2 q8
//       16      8  fingerprint of the model (fingerprint.h)
//       24      8  tokens N
//       32      8  positions P that the cache holds: N, or N - 1 where the last
//                  token has not gone through the layers yet
//       40      8  checksum (checksum.h) of the 40 bytes before
//       48     4 N token ids, int32
//                  if P = N > 0: hidden state after the last token, float32
//                  cache: for each 64 positions begun, the blocks of all layers
//                  and heads (kv_cache.h), positions from P on being zeros
//               8  checksum of all from byte 48 on, array by array
//
// How the bytes of the cache are made is the business of the kernels: a version
// of tern that changes it changes the version here.
#ifndef TERN_RUNTIME_SESSION_FILE_H_
#define TERN_RUNTIME_SESSION_FILE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include <tern/session.h>

#include "runtime/aligned_buffer.h"
#include "runtime/kv_cache.h"

namespace tern {

// What is saved of a session.
struct SessionState {
  KvType kv_type;
  std::uint64_t fingerprint;   // of the model
  std::size_t context_length;  // room for tokens
  std::vector<Token>& tokens;
  std::size_t& num_run;        // positions in the cache
  AlignedBuffer<float>& last;  // [hidden], valid if all tokens were run
  KvCache& cache;
};

using WriteBytes = std::function<void(std::span<const std::uint8_t>)>;
// Fills the span; false if the bytes end before.
using ReadBytes = std::function<bool(std::span<std::uint8_t>)>;

// Does not change `state`.
void WriteSession(const SessionState& state, const WriteBytes& write);

// Fills tokens, num_run, last and cache, whose sizes are those of the session.
// Throws Error, `place` first: kMalformed for bytes that are no saved session,
// or not all of one, or damaged; kUnsupported for another version; else
// kInvalidArgument for another model or type of cache; kContextFull for more
// tokens than the context holds.  After an Error the state is worthless.
void ReadSession(const SessionState& state, const std::string& place,
                 std::size_t vocab_size, const ReadBytes& read);

}  // namespace tern

#endif  // TERN_RUNTIME_SESSION_FILE_H_
