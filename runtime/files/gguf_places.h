// Where the tensors of a GGUF file's table lie, and what their type numbers
// mean there: the size rule of gguf_types.h.
#ifndef TERN_RUNTIME_FILES_GGUF_PLACES_H_
#define TERN_RUNTIME_FILES_GGUF_PLACES_H_

#include <cstdint>
#include <vector>

#include "runtime/files/gguf.h"
#include "runtime/files/on_fault.h"

namespace tern::files {

// A tensor as the table has it, before its place is known.
struct GgufEntry {
  StoredTensor tensor;  // name, shape, file
  std::uint32_t type_number = 0;
  std::uint64_t relative_offset = 0;  // from the start of the data
  // Of a shape that no file can hold: listed, but not placed.
  bool has_shape = true;
};

// Puts the entries into file.tensors and file.claims, with the offset, bytes
// and type that each has.  One with a fault keeps StoredType::kOther.
void PlaceTensors(std::vector<GgufEntry> entries, std::uint64_t data_begin,
                  GgufFile& file, const OnFault& on_fault);

// The size rule: the room up to the next tensor is what the layout needs,
// rounded up to the alignment; the last tensor may end without padding.
bool FitsRoom(std::uint64_t needed, const GgufClaim& claim,
              std::uint64_t alignment);

}  // namespace tern::files

#endif  // TERN_RUNTIME_FILES_GGUF_PLACES_H_
