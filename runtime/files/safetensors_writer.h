// Writes a safetensors file from front to back.  Tensors may be announced one
// by one, as late as their data: room for the header is left at the beginning
// and filled in Finish, padded with spaces, as the format allows.
#ifndef TERN_RUNTIME_FILES_SAFETENSORS_WRITER_H_
#define TERN_RUNTIME_FILES_SAFETENSORS_WRITER_H_

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "runtime/files/output_file.h"
#include "runtime/files/stored_tensor.h"
#include "runtime/files/tensor_writer.h"

namespace tern::files {

class SafetensorsWriter : public TensorWriter {
 public:
  // `names`: of all the tensors that may come, of `data_bytes` together, about,
  // which are reserved.  Throws Error as OutputFile does.
  SafetensorsWriter(std::filesystem::path destination,
                    const std::vector<std::string>& names,
                    std::uint64_t data_bytes);

  // The next tensor: kF32, kF16, kBf16 or kU8.  Throws Error
  // (kInvalidArgument) if the one before is not complete, and for another type.
  void Begin(const std::string& name, StoredType type,
             const std::vector<std::uint64_t>& shape);
  void Write(std::span<const std::uint8_t> piece) override;
  // Puts the file in its place and returns its size.
  std::uint64_t Finish();

 private:
  [[noreturn]] void Misuse(const std::string& what) const;

  OutputFile file_;
  std::uint64_t header_bytes_;
  std::string header_ = R"({"__metadata__":{"format":"pt"})";
  std::string current_;          // the tensor at hand
  std::uint64_t missing_ = 0;    // bytes of it
  std::uint64_t data_size_ = 0;  // bytes of data so far
};

}  // namespace tern::files

#endif  // TERN_RUNTIME_FILES_SAFETENSORS_WRITER_H_
