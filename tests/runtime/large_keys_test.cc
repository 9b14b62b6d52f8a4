// A key of a file can be nearly all of it: what reads and writes it takes
// memory in proportion to the file, whatever the type of its elements.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include <tern/error.h>
#include <tern/inspect.h>
#include <tern/pack.h>
#include <tern/verify.h>

#include "tests/runtime/files/allocation_probe.h"
#include "tests/runtime/files/tiny_model.h"
#include "tests/support/expect_error.h"
#include "tests/support/temporary_directory.h"

namespace tern {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBytes = std::size_t{4} << 20;

// A tiny model with an array of so many bytes of this type.
fs::path WriteWithArray(const TemporaryDirectory& directory, std::uint32_t type,
                        std::size_t element_bytes) {
  test::GgufParts parts = test::TinyGguf();
  constexpr std::uint32_t kArray = 9;
  parts.keys.push_back(
      {"general.blob",
       {kArray, test::Bytes(type) +
                    test::Bytes(std::uint64_t{kBytes / element_bytes}) +
                    std::string(kBytes, '\x01')}});
  fs::path path = directory / "a.gguf";
  WriteFile(path, Serialize(parts));
  return path;
}

// The most that was held at once, in sizes of the array.
double MostOf(const std::function<void()>& use) {
  test::ResetMostLiveBytes();
  const std::size_t before = test::LiveBytes();
  use();
  return static_cast<double>(test::MostLiveBytes() - before) / kBytes;
}

class LargeKeysTest
    : public ::testing::TestWithParam<std::pair<std::uint32_t, std::size_t>> {};

TEST_P(LargeKeysTest, TakeMemoryInProportionToTheFile) {
  const TemporaryDirectory directory;
  const auto [type, element_bytes] = GetParam();
  const fs::path path = WriteWithArray(directory, type, element_bytes);
  EXPECT_LT(MostOf([&] { (void)Inspect(path); }), 5);
  EXPECT_LT(MostOf([&] { (void)Verify(path, {.num_threads = 1}); }), 5);
  EXPECT_LT(MostOf([&] { Pack(path, directory / "b.gguf"); }), 7);
  EXPECT_LT(
      MostOf([&] {
        ExpectError(ErrorCode::kUnsupported, {"general.blob", "too long"}, [&] {
          Pack(path, directory / "hf", {.type = PackedType::kHuggingFace});
        });
      }),
      5);
}

// u8, i16, i32, f64, bool
INSTANTIATE_TEST_SUITE_P(Types, LargeKeysTest,
                         ::testing::Values(std::pair(0U, 1U), std::pair(3U, 2U),
                                           std::pair(5U, 4U),
                                           std::pair(12U, 8U),
                                           std::pair(7U, 1U)));

}  // namespace
}  // namespace tern
