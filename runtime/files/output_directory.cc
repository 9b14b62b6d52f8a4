#include "runtime/files/output_directory.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <string_view>
#include <system_error>
#include <unistd.h>
#include <utility>

#include <tern/error.h>

#include "runtime/files/output_file.h"
#include "runtime/files/quote.h"

namespace tern::files {
namespace {

namespace fs = std::filesystem;

// "model.safetensors", or a shard, "model-00001-of-00002.safetensors".
bool IsWeightsFile(std::string_view name) {
  return name == "model.safetensors" ||
         (name.starts_with("model-") && name.ends_with(".safetensors"));
}

// What a model's directory holds: the names that tern and transformers write.
// Not README.md, LICENSE or code, which people write, and which would be lost.
bool IsModelFile(const fs::directory_entry& entry) {
  constexpr std::array<std::string_view, 11> kNames = {
      "config.json",
      "generation_config.json",
      "model.safetensors.index.json",
      "tokenizer.json",
      "tokenizer.model",
      "tokenizer_config.json",
      "special_tokens_map.json",
      "added_tokens.json",
      "vocab.json",
      "merges.txt",
      "chat_template.jinja"};
  std::error_code ignored;
  const std::string name = entry.path().filename().string();
  return entry.is_regular_file(ignored) &&
         (IsWeightsFile(name) ||
          std::find(kNames.begin(), kNames.end(), name) != kNames.end());
}

// Throws Error unless the directory is a model and nothing else, or empty.
void RequireModelDirectory(const fs::path& directory) {
  bool has_config = false;
  bool has_weights = false;
  bool is_empty = true;
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end;
       !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (!IsModelFile(*entry)) {
      throw Error(ErrorCode::kInvalidArgument,
                  directory.string() + ": holds " + Quote(name) +
                      ", which is no file of a model and would be lost; choose "
                      "another name or move it away");
    }
    is_empty = false;
    has_config = has_config || name == "config.json";
    has_weights = has_weights || IsWeightsFile(name);
  }
  if (error) ThrowIo(directory, "listing what it holds", error.value());
  // Of somebody else's, the files could not be removed when it is replaced.
  if (::access(directory.c_str(), W_OK | X_OK) != 0) {
    ThrowIo(directory, "writing in it", errno);
  }
  if (is_empty || (has_config && has_weights)) return;
  throw Error(ErrorCode::kInvalidArgument,
              directory.string() +
                  ": is no model's directory, for it holds no " +
                  (has_config ? "model.safetensors" : "config.json") +
                  ", and would be lost; choose another name or move it away");
}

// `destination`, without a slash at its end, if a directory may be put there.
fs::path CheckDestination(fs::path destination, bool overwrite) {
  if (destination.filename().empty()) destination = destination.parent_path();
  const std::string place = destination.string();
  const std::string name = destination.filename().string();
  if (name.empty() || name == "." || name == "..") {
    throw Error(ErrorCode::kInvalidArgument,
                "'" + place +
                    "': is no name of a directory to make; give one that "
                    "does not exist");
  }
  std::error_code error;
  const fs::file_status status = fs::symlink_status(destination, error);
  // A name that is too long, say: not only after hours of work.
  if (status.type() == fs::file_type::none) {
    ThrowIo(destination, "looking at it", error.value());
  }
  if (!fs::exists(status)) return destination;
  if (!fs::is_directory(status)) {
    throw Error(ErrorCode::kInvalidArgument,
                place + ": exists and is not a directory; choose another name");
  }
  if (!overwrite) RefuseExisting(destination);
  RequireModelDirectory(destination);
  return destination;
}

int RenameWith(const fs::path& from, const fs::path& to, unsigned flags) {
  return ::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), flags);
}

// The file system, or the kernel, does not know the flag.
bool IsUnsupported(int error) {
  return error == EINVAL || error == ENOSYS || error == EOPNOTSUPP;
}

}  // namespace

OutputDirectory::OutputDirectory(fs::path destination, bool overwrite)
    : destination_(CheckDestination(std::move(destination), overwrite)),
      overwrite_(overwrite),
      temporary_(destination_, TemporaryEntry::Kind::kDirectory) {}

std::string OutputDirectory::WithDestination(std::string message) const {
  const std::string made = path().string();
  const std::string named = destination_.string();
  for (std::size_t at = message.find(made); at != std::string::npos;
       at = message.find(made, at + named.size())) {
    message.replace(at, made.size(), named);
  }
  return message;
}

void OutputDirectory::Remove(const std::string& name) {
  std::error_code error;
  fs::remove(PathOf(name), error);
  if (error) ThrowIo(destination_, "removing a file", error.value());
}

std::uint64_t OutputDirectory::Bytes() const {
  std::uint64_t bytes = 0;
  std::error_code error;
  for (fs::directory_iterator entry(path(), error), end; !error && entry != end;
       entry.increment(error)) {
    const std::uint64_t size = entry->file_size(error);
    if (error) break;
    bytes += size;
  }
  if (error) ThrowIo(destination_, "listing what it holds", error.value());
  return bytes;
}

// The old directory has the temporary name afterwards and is removed with it.
void OutputDirectory::Replace() {
  const fs::path& made = temporary_.path();
  if (RenameWith(made, destination_, RENAME_EXCHANGE) == 0) return;
  if (!IsUnsupported(errno)) ThrowIo(destination_, "exchanging", errno);
  const fs::path old =
      destination_.string() + ".old-" + std::to_string(::getpid());
  if (::rename(destination_.c_str(), old.c_str()) != 0) {
    ThrowIo(destination_, "renaming the old directory", errno);
  }
  if (::rename(made.c_str(), destination_.c_str()) != 0) {
    const int error = errno;
    ::rename(old.c_str(), destination_.c_str());
    ThrowIo(destination_, "renaming the temporary directory", error);
  }
  std::error_code stays;
  fs::remove_all(old, stays);
  temporary_.Release();
}

void OutputDirectory::Commit() {
  // Its files have been put on the disk one by one.
  // Some file systems cannot sync a directory: no reason to fail.
  if (::fsync(temporary_.descriptor()) != 0 && errno != EINVAL &&
      errno != ENOTSUP) {
    ThrowIo(destination_, "writing to the disk", errno);
  }
  std::error_code ignored;
  const bool is_there = fs::exists(fs::symlink_status(destination_, ignored));
  if (is_there) {
    // Again: hours may have passed.
    CheckDestination(destination_, overwrite_);
    Replace();
  } else {
    const fs::path& made = temporary_.path();
    int error = 0;
    if (RenameWith(made, destination_, RENAME_NOREPLACE) != 0) error = errno;
    if (IsUnsupported(error)) {  // a plain one replaces an empty directory only
      error = ::rename(made.c_str(), destination_.c_str()) == 0 ? 0 : errno;
    }
    if (error == EEXIST || error == ENOTEMPTY) RefuseExisting(destination_);
    if (error != 0) {
      ThrowIo(destination_, "renaming the temporary directory", error);
    }
    temporary_.Release();
  }
  SyncParent(destination_);
}

}  // namespace tern::files
