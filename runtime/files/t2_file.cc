#include "runtime/files/t2_file.h"

#include <algorithm>
#include <cstring>
#include <string>

#include <tern/error.h>

#include "runtime/files/quote.h"

namespace tern::files {
namespace {

constexpr std::uint64_t kSumBytes = 16;

std::string KeyPlace(const GgufFile& file) {
  return file.path.string() + ": key " + Quote(kT2VersionKey);
}

// A tensor that only a t2 file has, or null.
const StoredTensor* FindPart(const GgufFile& file) {
  for (const auto& [name, tensor] : file.tensors) {
    if (tensor.type == StoredType::kT2 || name == kChecksumsName) {
      return &tensor;
    }
  }
  return nullptr;
}

void CheckChecksums(const GgufFile& file) {
  const auto found = file.tensors.find(kChecksumsName);
  if (found == file.tensors.end()) {
    throw Error(ErrorCode::kMalformed,
                file.path.string() + ": tensor " + Quote(kChecksumsName) +
                    " is missing, which every t2 file has; fetch the file "
                    "again");
  }
  const StoredTensor& sums = found->second;
  if (sums.has_fault) return;  // told
  const std::vector<std::uint64_t> shape = {file.tensors.size(), 2};
  if (sums.type != StoredType::kI64 || sums.shape != shape) {
    throw Error(ErrorCode::kMalformed,
                sums.Place() + ": is not I64 of shape " +
                    std::to_string(shape[0]) +
                    " x 2, a checksum for each tensor; fetch the file again");
  }
  if (sums.offset + sums.bytes != sums.file->size()) {
    throw Error(
        ErrorCode::kMalformed,
        sums.Place() + ": is not what the file ends with; fetch the file again",
        sums.offset);
  }
}

}  // namespace

bool IsT2(const GgufFile& file) {
  return file.metadata.contains(kT2VersionKey);
}

void CheckT2Version(const GgufFile& file) {
  if (!IsT2(file)) return;
  const std::uint64_t version = file.Unsigned(kT2VersionKey).value();
  if (version == kT2Version) return;
  throw Error(ErrorCode::kUnsupported,
              KeyPlace(file) + ": version " + std::to_string(version) +
                  " of the t2 format, but this tern reads version " +
                  std::to_string(kT2Version) +
                  "; take a newer tern, or pack the model again");
}

void CheckT2Parts(const GgufFile& file) {
  const StoredTensor* part = FindPart(file);
  if (!IsT2(file)) {
    if (part == nullptr) return;
    throw Error(ErrorCode::kMalformed,
                part->Place() + ": belongs to a t2 file, but there is no key " +
                    Quote(kT2VersionKey) + "; fetch the file again",
                part->offset);
  }
  if (file.alignment != kT2Alignment) {
    throw Error(ErrorCode::kMalformed,
                file.path.string() + ": key 'general.alignment': is " +
                    std::to_string(file.alignment) +
                    ", but 64 in a t2 file; fetch the file again");
  }
  CheckChecksums(file);
}

T2Checksums::T2Checksums(const GgufFile& file) : file_(&file) {
  if (!IsT2(file)) {
    throw Error(ErrorCode::kUnsupported,
                file.path.string() +
                    ": records no checksums, only t2 files do; leave out the "
                    "check, or run tern verify for all that can be told");
  }
  for (const auto& [name, tensor] : file.tensors) tensors_.push_back(&tensor);
  std::sort(tensors_.begin(), tensors_.end(),
            [](const StoredTensor* a, const StoredTensor* b) {
              return a->offset < b->offset;
            });
  const std::vector<std::uint8_t> bytes = tensors_.back()->ReadAll();
  recorded_.resize(tensors_.size());
  for (std::size_t i = 0; i < recorded_.size(); ++i) {
    const std::uint8_t* sum = bytes.data() + i * kSumBytes;
    std::memcpy(&recorded_[i].low, sum, sizeof recorded_[i].low);
    std::memcpy(&recorded_[i].high, sum + 8, sizeof recorded_[i].high);
  }
  are_sound_ = RestSum() == recorded_.back();
}

Checksum T2Checksums::RestSum() const {
  Hasher hasher;
  std::uint64_t begin = 0;
  for (const StoredTensor* tensor : tensors_) {
    if (tensor == tensors_.back()) break;
    AddRange(*tensor->file, begin, tensor->offset, hasher);
    begin = tensor->offset + tensor->bytes;
  }
  const InputFile& file = *tensors_.back()->file;
  AddRange(file, begin, file.size() - kSumBytes, hasher);
  return hasher.Sum();
}

void T2Checksums::Check(std::size_t index) const {
  const StoredTensor& tensor = Tensor(index);
  if (index + 1 == size()) {
    if (are_sound_) return;
    throw Error(
        ErrorCode::kMalformed,
        file_->path.string() +
            ": its header, keys, table of tensors, padding or checksums "
            "are not as they were written; fetch the file again",
        0);
  }
  Hasher hasher;
  AddRange(*tensor.file, tensor.offset, tensor.offset + tensor.bytes, hasher);
  if (hasher.Sum() == recorded_[index]) return;
  if (!are_sound_) {
    const StoredTensor& sums = *tensors_.back();
    const std::uint64_t place = sums.offset + index * kSumBytes;
    throw Error(ErrorCode::kMalformed,
                sums.Place() + ": byte " + std::to_string(place) +
                    ": the checksum of tensor " + Quote(tensor.name) +
                    " is not that of its bytes, and nobody knows which of the "
                    "two has changed; fetch the file again",
                place);
  }
  throw Error(ErrorCode::kMalformed,
              tensor.Place() + ": bytes " + std::to_string(tensor.offset) +
                  " to " + std::to_string(tensor.offset + tensor.bytes - 1) +
                  " are not as they were written, says their checksum; fetch "
                  "the file again",
              tensor.offset);
}

}  // namespace tern::files
