// What every fuzz target is made of.
//
// A target is one file with an LLVMFuzzerTestOneInput.  libFuzzer calls it with
// bytes of its own making (clang++, preset `fuzz`); replay.cc calls it with the
// files of corpus/ and regressions/ in every ordinary build.  A finding is a
// signal, a sanitizer's report, an exception other than tern::Error, a Check
// that fails, or more time or memory than run.sh allows.
#ifndef TERN_TESTS_FUZZ_FUZZ_H_
#define TERN_TESTS_FUZZ_FUZZ_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size);

namespace tern::fuzz {

[[noreturn]] inline void Fail(const std::string& what) {
  std::fprintf(stderr, "fuzz: %s\n", what.c_str());
  std::abort();
}
inline void Check(bool holds, const char* what) {
  if (!holds) Fail(what);
}

inline std::string_view AsText(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// Numbers from the front of the input; zeros once it is used up.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size)
      : rest_(AsText(data, size)) {}

  template <class T>
  T Number() {
    T value{};
    const std::size_t size = std::min(sizeof(T), rest_.size());
    if (size != 0) std::memcpy(&value, rest_.data(), size);
    rest_.remove_prefix(size);
    return value;
  }
  // In [0, limit), limit at most 65536.
  std::size_t Below(std::size_t limit) {
    return Number<std::uint16_t>() % limit;
  }
  bool Flag() { return (Number<std::uint8_t>() & 1U) != 0; }
  [[nodiscard]] std::string_view Rest() const { return rest_; }

 private:
  std::string_view rest_;
};

}  // namespace tern::fuzz

#endif  // TERN_TESTS_FUZZ_FUZZ_H_
