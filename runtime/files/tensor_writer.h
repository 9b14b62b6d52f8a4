// Where the data of a new file's tensors goes, whatever the file's format.
#ifndef TERN_RUNTIME_FILES_TENSOR_WRITER_H_
#define TERN_RUNTIME_FILES_TENSOR_WRITER_H_

#include <cstdint>
#include <span>

namespace tern::files {

class TensorWriter {
 public:
  TensorWriter() = default;
  TensorWriter(const TensorWriter&) = delete;
  TensorWriter& operator=(const TensorWriter&) = delete;
  TensorWriter(TensorWriter&&) = delete;
  TensorWriter& operator=(TensorWriter&&) = delete;
  virtual ~TensorWriter() = default;
  // The next bytes of the tensor at hand.  Throws Error: kInvalidArgument for
  // more than it has, kIo.
  virtual void Write(std::span<const std::uint8_t> piece) = 0;
};

}  // namespace tern::files

#endif  // TERN_RUNTIME_FILES_TENSOR_WRITER_H_
