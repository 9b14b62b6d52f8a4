// Reads a file from front to back, number by number, through a buffer: real
// GGUF files hold 280,000 strings of a few bytes each, too many for a system
// call apiece.
#ifndef TERN_RUNTIME_FILES_BYTE_READER_H_
#define TERN_RUNTIME_FILES_BYTE_READER_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include <tern/error.h>

#include "runtime/files/input_file.h"

namespace tern::files {

// Every read is checked against the end of the file; Error (kMalformed) names
// the file, the byte and `context`.  The file must outlive the reader.
class ByteReader {
 public:
  explicit ByteReader(const InputFile& file) : file_(&file) {}

  // What is being read, for error messages: "key 'general.name'".
  void set_context(std::string context) { context_ = std::move(context); }

  [[nodiscard]] std::uint64_t position() const { return position_; }
  [[nodiscard]] std::uint64_t remaining() const {
    return file_->size() - position_;
  }

  // A little-endian number.
  template <typename T>
  T Number() {
    std::uint8_t bytes[sizeof(T)];
    Bytes(bytes);
    T value;
    std::memcpy(&value, bytes, sizeof(T));
    return value;
  }
  // A length of 8 bytes, at most 1 GiB, then that many bytes.
  std::string String();

  // A number of things that take at least `min_bytes` each: Error if the file
  // has no room for them, so that they may be allocated.
  std::uint64_t Count(std::uint64_t min_bytes, const char* things);

  // An Error at the current position: `what`, then advice.
  [[nodiscard]] Error Fault(const std::string& what) const;
  [[noreturn]] void Fail(const std::string& what) const { throw Fault(what); }

 private:
  void Bytes(std::span<std::uint8_t> out);

  const InputFile* file_;
  std::string context_;
  std::uint64_t position_ = 0;
  // The file's bytes from buffer_begin_ on.
  std::vector<std::uint8_t> buffer_;
  std::uint64_t buffer_begin_ = 0;
};

}  // namespace tern::files

#endif  // TERN_RUNTIME_FILES_BYTE_READER_H_
