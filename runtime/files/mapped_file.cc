#include "runtime/files/mapped_file.h"

#include <cerrno>
#include <sys/mman.h>
#include <system_error>
#include <utility>

#include <tern/error.h>

namespace tern::files {

MappedFile::MappedFile(const InputFile& file) {
  if (file.size() == 0) return;  // which the system does not map
  void* begin =
      mmap(nullptr, file.size(), PROT_READ, MAP_SHARED, file.descriptor(), 0);
  if (begin == MAP_FAILED) {
    throw Error(ErrorCode::kIo, file.path().string() + ": cannot be mapped (" +
                                    std::generic_category().message(errno) +
                                    "); load it without mapping");
  }
  bytes_ = {static_cast<const std::uint8_t*>(begin), file.size()};
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : bytes_(std::exchange(other.bytes_, {})) {}

MappedFile::~MappedFile() {
  if (bytes_.empty()) return;
  // munmap takes what mmap gave.
  munmap(const_cast<std::uint8_t*>(bytes_.data()), bytes_.size());
}

}  // namespace tern::files
