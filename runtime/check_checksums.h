// The checksums that a t2 file records, against its bytes, on all threads.
#ifndef TERN_RUNTIME_CHECK_CHECKSUMS_H_
#define TERN_RUNTIME_CHECK_CHECKSUMS_H_

#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <vector>

#include <tern/error.h>

#include "runtime/files/t2_file.h"
#include "runtime/parallel.h"

namespace tern {

// Calls work(i) for all i below `count` on all members and returns the Errors
// that they threw; other exceptions become Errors.  `progress`, if any, is
// called from the calling thread now and then with a fraction; what it throws
// ends the work and is thrown.
std::vector<std::optional<Error>> CollectErrors(
    Team& team, std::size_t count, const std::function<void(std::size_t)>& work,
    const std::function<void(double)>& progress = nullptr);

// Throws Error: kUnsupported for a model that records no checksums, kMalformed
// for the first of them that is not that of its bytes.
void RequireChecksums(const std::filesystem::path& path, int num_threads);

}  // namespace tern

#endif  // TERN_RUNTIME_CHECK_CHECKSUMS_H_
