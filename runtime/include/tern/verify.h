// Is a model's file what it was when it was written?  Where the file records
// checksums (t2, pack.h) every byte is checked against them, so that a single
// flipped bit is found.  Of other formats everything is checked that the format
// lets one know: every byte range, code, scale and float, the configuration and
// the tokenizer; a code that became another valid code cannot be found.
#ifndef TERN_VERIFY_H_
#define TERN_VERIFY_H_

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <tern/model.h>

namespace tern {

struct VerifyOptions {
  I2SLayout i2s_layout = I2SLayout::kA;  // as in LoadOptions
  int num_threads = 0;                   // 0: as many as the process may use
  // Called now and then with a fraction in 0..1.  May throw to give up.
  std::function<void(double fraction)> progress = nullptr;
};

struct VerifyFault {
  std::string file;    // path of the file that it is in
  std::string tensor;  // as the file spells it; empty for what is in none
  std::optional<std::uint64_t> offset;  // byte of the file, where it is known
  std::string what;  // one line: `PLACE: what is wrong; what to do`
};

struct VerifyReport {
  std::string format;              // "GGUF v3, T2"; empty if it cannot be told
  std::size_t tensors = 0;         // that the files hold
  std::uint64_t bytes = 0;         // of these
  bool records_checksums = false;  // the file says so (t2)
  // Compared: none where the file records none, or does not hold together.
  std::size_t checksums = 0;
  // Empty: Model::Load would load the model, with its tokenizer if it has one.
  // Of each tensor the first fault that its checksum finds, and the first that
  // its values show.  Where the checksums themselves may have changed (the one
  // over all other bytes is wrong) no tensor is blamed by one.
  std::vector<VerifyFault> faults;
};

// Goes on after a fault.  Reads the whole model, with checksums twice, and
// takes the memory of a matrix a thread.  Throws Error only if there is nothing
// to verify: no such file, or neither GGUF nor safetensors.
TERN_API VerifyReport Verify(const std::filesystem::path& path,
                             const VerifyOptions& options = {});

}  // namespace tern

#endif  // TERN_VERIFY_H_
