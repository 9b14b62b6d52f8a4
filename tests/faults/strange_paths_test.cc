// Things that are no model where a model is asked for, and directories whose
// index points elsewhere: each is refused by name and at once (a named pipe
// must not be waited for).
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <tern/error.h>
#include <tern/inspect.h>
#include <tern/model.h>
#include <tern/pack.h>
#include <tern/tokenizer.h>

#include "tests/faults/tiny_run.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/tiny_model.h"

namespace tern {
namespace {

using testing::LoadWith;
namespace fs = std::filesystem;

constexpr unsigned kPatience = 60;  // seconds, then SIGALRM ends the test

class StrangePathsTest : public ::testing::Test {
 protected:
  StrangePathsTest() { alarm(kPatience); }
  ~StrangePathsTest() override { alarm(0); }
  StrangePathsTest(const StrangePathsTest&) = delete;
  StrangePathsTest& operator=(const StrangePathsTest&) = delete;

  TemporaryDirectory directory_;
};

// Every entrance that takes a path says no, on one line that names it.
void ExpectRefused(const fs::path& path, const std::string& named) {
  const auto expect = [&](const char* what, const auto& call) {
    try {
      call();
      ADD_FAILURE() << what << " accepted " << path;
    } catch (const Error& error) {
      const std::string message = error.what();
      // Of a directory, the tokenizer is a matter of its own.
      EXPECT_TRUE(message.find(named) != std::string::npos ||
                  message.find(path.string()) != std::string::npos)
          << what << ": " << message;
      EXPECT_EQ(message.find('\n'), std::string::npos) << message;
      EXPECT_NE(message.find("; "), std::string::npos)
          << what << " has no advice: " << message;
    }
  };
  const TemporaryDirectory out;
  expect("Load", [&] { (void)LoadWith(path, 1); });
  expect("Tokenizer", [&] { (void)Tokenizer::Load(path); });
  expect("Pack", [&] { Pack(path, out / "out.gguf"); });
  EXPECT_EQ(out.FileCount(), 0U);
  // It may report what there is of a directory, but finds a problem.
  try {
    const ModelReport report = Inspect(path);
    EXPECT_FALSE(report.problems.empty()) << path;
    EXPECT_FALSE(report.runs) << path;
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find(named), std::string::npos)
        << error.what();
  }
}

TEST_F(StrangePathsTest, WhatIsNoFile) {
  const fs::path pipe = directory_ / "pipe.gguf";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  ExpectRefused(pipe, "pipe.gguf");

  const fs::path socket_path = directory_ / "socket.gguf";
  const int socket_file = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  ASSERT_LT(socket_path.string().size(), sizeof(address.sun_path));
  socket_path.string().copy(address.sun_path, sizeof(address.sun_path) - 1);
  ASSERT_EQ(bind(socket_file, reinterpret_cast<const sockaddr*>(&address),
                 sizeof(address)),
            0);
  ExpectRefused(socket_path, "socket.gguf");
  close(socket_file);

  ExpectRefused("/dev/zero", "/dev/zero");
  ExpectRefused("/dev/null", "/dev/null");
  ExpectRefused("/dev/full", "/dev/full");
}

TEST_F(StrangePathsTest, WhatIsEmptyOrNotThere) {
  WriteFile(directory_ / "empty.gguf", "");
  ExpectRefused(directory_ / "empty.gguf", "empty.gguf");
  WriteFile(directory_ / "empty.safetensors", "");
  ExpectRefused(directory_ / "empty.safetensors", directory_.path().string());
  fs::create_directory(directory_ / "folder.gguf");
  ExpectRefused(directory_ / "folder.gguf", "folder.gguf");
  ExpectRefused(directory_ / "missing.gguf", "missing.gguf");
  ExpectRefused(directory_ / "empty.gguf" / "inside", "inside");
  fs::create_symlink("loop.gguf", directory_ / "loop.gguf");
  ExpectRefused(directory_ / "loop.gguf", "loop.gguf");
  fs::create_symlink("nowhere", directory_ / "dangling.gguf");
  ExpectRefused(directory_ / "dangling.gguf", "dangling.gguf");
  ExpectRefused("", "");
}

// A directory whose config.json or weights are something else.
TEST_F(StrangePathsTest, DirectoriesWithPipesInIt) {
  for (const char* name : {"config.json", "model.safetensors",
                           "model.safetensors.index.json", "tokenizer.json"}) {
    const fs::path model = directory_ / (std::string("with-") + name);
    WriteTinyHuggingFace({}, model);
    fs::remove(model / name);
    ASSERT_EQ(mkfifo((model / name).c_str(), 0600), 0);
    ExpectRefused(model, name);
  }
}

class IndexTest : public StrangePathsTest {
 protected:
  // The tiny model's one file under another name, and an index that says where
  // its first tensor is; the others are in shard.safetensors.
  fs::path ModelWithIndex(const std::string& shard_of_first) {
    fs::remove_all(directory_ / "model");
    fs::path model = directory_ / "model";
    WriteTinyHuggingFace({}, model);
    const fs::path single = model / "model.safetensors";
    std::ifstream file(single, std::ios::binary);
    std::uint64_t size = 0;
    file.read(reinterpret_cast<char*>(&size), sizeof(size));
    std::string header(size, '\0');
    file.read(header.data(), static_cast<std::streamsize>(size));
    nlohmann::json map = nlohmann::json::object();
    const auto tensors = nlohmann::json::parse(header);
    for (const auto& [name, entry] : tensors.items()) {
      map[name] = "shard.safetensors";
    }
    if (!shard_of_first.empty()) map.begin().value() = shard_of_first;
    fs::rename(single, model / "shard.safetensors");
    std::ofstream(model / "model.safetensors.index.json")
        << nlohmann::json({{"weight_map", map}});
    return model;
  }
};

TEST_F(IndexTest, TheModelItself) {
  const auto model = LoadWith(ModelWithIndex("shard.safetensors"), 1);
  EXPECT_EQ(model->config().num_layers, 2U);
}

TEST_F(IndexTest, NamesOutsideTheDirectory) {
  WriteFile(directory_ / "outside.safetensors", "secret");
  for (const std::string& name :
       {std::string("../outside.safetensors"),
        (directory_ / "outside.safetensors").string(),
        std::string("sub/shard.safetensors"),
        std::string("..\\outside.safetensors"), std::string("."),
        std::string("..safetensors"), std::string(".hidden.safetensors"),
        std::string("/etc/passwd"), std::string("shard\n.safetensors"),
        std::string("a\0b.safetensors", 15)}) {
    const fs::path model = ModelWithIndex(name);
    try {
      (void)LoadWith(model, 1);
      ADD_FAILURE() << "followed " << name;
    } catch (const Error& error) {
      const std::string message = error.what();
      EXPECT_NE(message.find("index.json"), std::string::npos) << message;
      EXPECT_NE(message.find("in the same directory"), std::string::npos)
          << message;
      EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    }
    const ModelReport report = Inspect(model);
    EXPECT_FALSE(report.runs);
    EXPECT_TRUE(report.tensors.empty());
  }
}

// Download caches consist of links to files elsewhere.
TEST_F(IndexTest, LinksArePathsOfTheirOwn) {
  const fs::path model = ModelWithIndex("shard.safetensors");
  fs::rename(model / "shard.safetensors", directory_ / "blob");
  fs::create_symlink("../blob", model / "shard.safetensors");
  EXPECT_NO_THROW((void)LoadWith(model, 1));
  fs::remove(directory_ / "blob");
  ExpectRefused(model, "shard.safetensors");
}

TEST_F(IndexTest, ShardsThatAreMissingOrNoFiles) {
  fs::path model = ModelWithIndex("");
  fs::remove(model / "shard.safetensors");
  ExpectRefused(model, "shard.safetensors");
  fs::create_directory(model / "shard.safetensors");
  ExpectRefused(model, "shard.safetensors");
  fs::remove(model / "shard.safetensors");
  ASSERT_EQ(mkfifo((model / "shard.safetensors").c_str(), 0600), 0);
  ExpectRefused(model, "shard.safetensors");
  model = ModelWithIndex("other.safetensors");
  ExpectRefused(model, "other.safetensors");
}

}  // namespace
}  // namespace tern
