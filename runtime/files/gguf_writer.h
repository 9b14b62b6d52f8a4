// Writes GGUF version 3 from front to back: metadata and the table of tensors
// at once, then the tensors' data in that order and in pieces of any size, so
// that no more than a piece has to be in memory; of a t2 file (t2_file.h) the
// checksums, too, are computed on the way.  The same input gives the same
// bytes.
#ifndef TERN_RUNTIME_FILES_GGUF_WRITER_H_
#define TERN_RUNTIME_FILES_GGUF_WRITER_H_

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "runtime/files/checksum.h"
#include "runtime/files/gguf.h"
#include "runtime/files/output_file.h"
#include "runtime/files/stored_tensor.h"
#include "runtime/files/tensor_writer.h"

namespace tern::files {

// Written in this order.  Numbers take the type that `number_types` says, if it
// holds them exactly (all of them, in an array); else the narrowest of GGUF's
// 32-bit and 64-bit types that does, which is what other programs expect: u32
// or u64, i32 or i64, f32 or f64.
using GgufMetadata = std::vector<std::pair<std::string, GgufValue>>;

struct GgufTensor {
  std::string name;
  StoredType type = StoredType::kF32;
  std::vector<std::uint64_t> shape;  // outermost first

  // Bytes of its data, without padding.
  [[nodiscard]] std::uint64_t Bytes() const;
};

enum class GgufForm {
  kPlain,  // GGUF's default alignment
  kT2,     // with the keys and the checksums of a t2 file, which it adds
};

class GgufWriter : public TensorWriter {
 public:
  // Writes everything but the data.  Throws Error: kInvalidArgument for a key
  // or a tensor named twice, a key that is the writer's own (the alignment, the
  // version of t2), a type or shape that GGUF cannot express, and as OutputFile
  // says.
  GgufWriter(std::filesystem::path destination, bool overwrite,
             GgufMetadata metadata, std::vector<GgufTensor> tensors,
             GgufForm form = GgufForm::kPlain,
             const GgufNumberTypes& number_types = {});

  // The next bytes of the current tensor; the next tensor begins where it
  // ends.  Throws Error: kInvalidArgument for a piece that runs over the end,
  // kIo.
  void Write(std::span<const std::uint8_t> piece) override;
  // In the file, those of the writer included.
  [[nodiscard]] std::size_t tensor_count() const { return tensors_.size(); }
  // Puts the file in its place and returns its size.  Throws Error
  // (kInvalidArgument) if data is missing, kIo.
  std::uint64_t Finish();

 private:
  // Where the checksums of a t2 file are made.
  struct Checksums {
    Hasher tensor;  // of the current one
    Hasher rest;    // of what is not the data of a tensor
    std::vector<Checksum> done;
  };

  void CheckKeys(const GgufMetadata& metadata) const;
  void CheckTensors() const;
  void ReserveAll(std::uint64_t header_bytes);
  void Append(std::span<const std::uint8_t> bytes);
  void AppendRest(std::span<const std::uint8_t> bytes);
  void Pad();  // to the alignment
  void EndTensor();
  void WriteChecksums();
  [[noreturn]] void Misuse(const std::string& thing,
                           const std::string& what) const;

  OutputFile file_;
  std::vector<GgufTensor> tensors_;
  std::optional<Checksums> checksums_;
  std::uint64_t alignment_;
  std::size_t current_ = 0;          // tensor
  std::uint64_t current_bytes_ = 0;  // of it written
  std::uint64_t size_ = 0;           // of the file so far
};

}  // namespace tern::files

#endif  // TERN_RUNTIME_FILES_GGUF_WRITER_H_
