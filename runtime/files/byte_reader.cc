#include "runtime/files/byte_reader.h"

#include <algorithm>

namespace tern::files {
namespace {

constexpr std::uint64_t kBufferBytes = std::uint64_t{1} << 18;
constexpr std::uint64_t kMaxString = std::uint64_t{1} << 30;

}  // namespace

std::string ByteReader::String() {
  const auto length = Count(1, "bytes of text");
  if (length > kMaxString) {
    Fail("a text of " + std::to_string(length) + " bytes, where " +
         std::to_string(kMaxString) + " are the most that is read");
  }
  std::string text(length, '\0');
  Bytes(std::span(reinterpret_cast<std::uint8_t*>(text.data()), text.size()));
  return text;
}

std::uint64_t ByteReader::Count(std::uint64_t min_bytes, const char* things) {
  const auto count = Number<std::uint64_t>();
  if (count > remaining() / min_bytes) {
    position_ -= sizeof(count);
    Fail(std::to_string(count) + " " + things + " are announced, but only " +
         std::to_string(remaining() - sizeof(count)) + " bytes follow");
  }
  return count;
}

Error ByteReader::Fault(const std::string& what) const {
  return {ErrorCode::kMalformed,
          file_->path().string() + ": byte " + std::to_string(position_) +
              (context_.empty() ? "" : ": " + context_) + ": " + what +
              "; the file is damaged, fetch it again",
          position_};
}

void ByteReader::Bytes(std::span<std::uint8_t> out) {
  if (out.size() > remaining()) {
    Fail("the file ends here");
  }
  while (!out.empty()) {
    std::uint64_t skip = position_ - buffer_begin_;
    if (skip >= buffer_.size()) {
      buffer_.resize(std::min(kBufferBytes, remaining()));
      file_->Read(position_, buffer_);
      buffer_begin_ = position_;
      skip = 0;
    }
    const auto count =
        std::min<std::uint64_t>(out.size(), buffer_.size() - skip);
    std::memcpy(out.data(), buffer_.data() + skip, count);
    position_ += count;
    out = out.subspan(count);
  }
}

}  // namespace tern::files
