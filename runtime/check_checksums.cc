#include "runtime/check_checksums.h"

#include <atomic>
#include <exception>
#include <new>
#include <string>
#include <system_error>

#include <tern/cpu.h>

#include "runtime/files/gguf.h"

namespace tern {

std::vector<std::optional<Error>> CollectErrors(
    Team& team, std::size_t count, const std::function<void(std::size_t)>& work,
    const std::function<void(double)>& progress) {
  std::vector<std::optional<Error>> errors(count);
  std::exception_ptr stopped;  // the calling thread's alone
  std::atomic<bool> is_stopped = false;
  std::atomic<std::size_t> done = 0;
  const auto report = [&] {
    try {
      progress(static_cast<double>(done) / static_cast<double>(count));
    } catch (...) {
      stopped = std::current_exception();
      is_stopped = true;
    }
  };
  ParallelForEach(team, count, [&](std::size_t i, std::size_t thread) {
    if (is_stopped) return;
    try {
      work(i);
    } catch (const Error& error) {
      errors[i] = error;
    } catch (const std::bad_alloc&) {
      errors[i] = Error(ErrorCode::kOutOfMemory,
                        "memory: not enough for a tensor; free some memory");
    } catch (const std::exception& error) {
      errors[i] = Error(ErrorCode::kMalformed, error.what());
    }
    ++done;
    if (thread == 0 && progress && !is_stopped) report();
  });
  if (stopped) std::rethrow_exception(stopped);
  return errors;
}

void RequireChecksums(const std::filesystem::path& path, int num_threads) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored) || !files::IsGguf(path)) {
    throw Error(ErrorCode::kUnsupported,
                path.string() +
                    ": records no checksums, only t2 files do; leave out the "
                    "check, or run tern verify for all that can be told");
  }
  const files::GgufFile file = files::ReadGguf(path);
  const files::T2Checksums checksums(file);
  // First of all whether they are themselves what was written.
  checksums.Check(checksums.size() - 1);
  Team team(num_threads > 0 ? num_threads : UsableCores());
  for (const auto& error :
       CollectErrors(team, checksums.size(),
                     [&](std::size_t i) { checksums.Check(i); })) {
    if (error) throw Error(*error);
  }
}

}  // namespace tern
