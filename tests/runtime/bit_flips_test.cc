// Single bits of model files that flip, as disks, memory and networks flip
// them: of a t2 file every one is found, and no format's reader crashes, hangs
// or takes memory that the file's size does not justify.
//
//   bit_flips_test [COUNT]    COUNT flips of each kind (default 150)
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <tern/error.h>
#include <tern/model.h>
#include <tern/pack.h>
#include <tern/session.h>
#include <tern/verify.h>

#include "runtime/checkpoint/checkpoint.h"
#include "tests/runtime/files/allocation_probe.h"
#include "tests/support/golden.h"
#include "tests/support/temporary_directory.h"

namespace tern::testing {
namespace {

namespace fs = std::filesystem;

std::uint64_t flips_of_each_kind = 150;

// A model in a directory of its own; what is flipped is one file of it.
struct Victim {
  fs::path model;
  fs::path file;
  std::uint64_t size = 0;
  std::uint64_t header = 0;  // bytes before the first tensor
};

Victim MakeVictim(const fs::path& model) {
  const checkpoint::Checkpoint source = checkpoint::Open(model);
  Victim victim = {.model = model,
                   .file = source.embedding.weight.file->path()};
  victim.size = fs::file_size(victim.file);
  victim.header = source.embedding.weight.offset;
  for (const checkpoint::LayerSource& layer : source.layers) {
    victim.header = std::min(
        {victim.header, layer.attn_norm.offset, layer.q.weight.offset});
  }
  return victim;
}

// Flips bits of the file, one at a time, and puts each back.
class Flipper {
 public:
  explicit Flipper(const fs::path& path)
      : file_(path, std::ios::in | std::ios::out | std::ios::binary) {}
  void Flip(std::uint64_t bit) {
    const auto place = static_cast<std::streamoff>(bit / 8);
    file_.seekg(place);
    const int byte = file_.get();
    file_.seekp(place);
    file_.put(static_cast<char>(byte ^ (1 << (bit % 8))));
    file_.flush();
    ASSERT_TRUE(file_.good());
  }

 private:
  std::fstream file_;
};

struct Tally {
  std::uint64_t found = 0;
  std::uint64_t loaded = 0;    // of those that were not found
  std::uint64_t refused = 0;   // of these, when they were run
  std::size_t largest = 0;     // allocation
  std::size_t most_bytes = 0;  // at once, beyond those before
  double slowest = 0;          // seconds
};

// True if the damaged model is refused in some way.
bool IsFound(const Victim& victim) {
  try {
    return !Verify(victim.model, {.num_threads = 1}).faults.empty();
  } catch (const Error&) {  // no model file any more, not even by its name
    return true;
  }
}

void RunOneToken(std::shared_ptr<const Model> model, Tally& tally) {
  Session session(std::move(model), {.context_length = 1, .num_threads = 1});
  try {
    session.Append(std::vector<Token>{1});
  } catch (const Error&) {  // numbers that became too large
    ++tally.refused;
  }
}

void MeasureOne(const Victim& victim, Tally& tally) {
  const auto begin = std::chrono::steady_clock::now();
  test::ResetLargestAllocation();
  test::ResetMostLiveBytes();
  const std::size_t before = test::LiveBytes();
  if (IsFound(victim)) {
    ++tally.found;
  } else {
    // What has no fault can be loaded.
    RunOneToken(Model::Load(victim.model, {.num_threads = 1}), tally);
    ++tally.loaded;
  }
  const std::size_t largest = test::LargestAllocation();
  const std::size_t most_bytes = test::MostLiveBytes() - before;
  const std::chrono::duration<double> took =
      std::chrono::steady_clock::now() - begin;
  EXPECT_LE(largest, 2 * victim.size);
  EXPECT_LE(most_bytes, 4 * victim.size);
  EXPECT_LE(took.count(), 5);
  tally.largest = std::max(tally.largest, largest);
  tally.most_bytes = std::max(tally.most_bytes, most_bytes);
  tally.slowest = std::max(tally.slowest, took.count());
}

// So many bits, each once, of the first `bytes` bytes.
Tally FlipBits(const Victim& victim, std::uint64_t bytes, unsigned seed,
               bool must_find_all) {
  std::mt19937_64 random(seed);
  std::set<std::uint64_t> seen;
  Tally tally;
  const std::uint64_t count = std::min(flips_of_each_kind, 8 * bytes);
  while (seen.size() < count) {
    const std::uint64_t bit = random() % (8 * bytes);
    if (!seen.insert(bit).second) continue;
    SCOPED_TRACE("byte " + std::to_string(bit / 8) + ", bit " +
                 std::to_string(bit % 8));
    Flipper(victim.file).Flip(bit);
    MeasureOne(victim, tally);
    if (must_find_all) {
      EXPECT_EQ(tally.loaded, 0U);
    }
    Flipper(victim.file).Flip(bit);
  }
  return tally;
}

void Report(const std::string& name, const std::string& where,
            const Tally& tally, const Victim& victim) {
  std::cout << name << ", " << victim.size << " bytes, " << where << ": "
            << tally.found + tally.loaded << " bits flipped, " << tally.found
            << " found, " << tally.loaded << " loaded, of which "
            << tally.refused << " could not be run; largest allocation "
            << tally.largest << ", at most " << tally.most_bytes
            << " bytes at once; slowest "
            << static_cast<int>(1e3 * tally.slowest) << " ms" << std::endl;
}

void FlipAndReport(const std::string& name, const fs::path& model,
                   bool must_find_all) {
  const Victim victim = MakeVictim(model);
  ASSERT_FALSE(IsFound(victim));
  const std::string sound = ReadFile(victim.file);
  const auto run = [&](const std::string& where, std::uint64_t bytes,
                       unsigned seed) {
    const Tally tally = FlipBits(victim, bytes, seed, must_find_all);
    Report(name, where, tally, victim);
  };
  run("anywhere", victim.size, 1);
  run("before the tensors", victim.header, 2);
  EXPECT_EQ(ReadFile(victim.file), sound);  // every bit was put back
}

fs::path Source() { return GoldenDir() / "zb-bitnet-256.i2_s.gguf"; }

TEST(BitFlips, OfAT2FileAreAllFound) {
  const TemporaryDirectory directory;
  Pack(Source(), directory / "model.gguf", {.type = PackedType::kT2});
  FlipAndReport("t2", directory / "model.gguf", true);
}

TEST(BitFlips, OfATq2FileDoNoHarm) {
  const TemporaryDirectory directory;
  Pack(Source(), directory / "model.gguf", {.type = PackedType::kTQ2_0});
  FlipAndReport("TQ2_0", directory / "model.gguf", false);
}

TEST(BitFlips, OfAnI2SFileDoNoHarm) {
  const TemporaryDirectory directory;
  fs::copy_file(Source(), directory / "model.gguf");
  FlipAndReport("I2_S", directory / "model.gguf", false);
}

TEST(BitFlips, OfASafetensorsFileDoNoHarm) {
  const TemporaryDirectory directory;
  fs::copy(GoldenDir() / "zb-bitnet-256", directory / "model");
  FlipAndReport("safetensors", directory / "model", false);
}

}  // namespace
}  // namespace tern::testing

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  if (argc > 1) {
    tern::testing::flips_of_each_kind = std::strtoull(argv[1], nullptr, 10);
  }
  return RUN_ALL_TESTS();
}
