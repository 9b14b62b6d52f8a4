// Several programs that pack to one name, and programs that are killed while
// they do: at every moment the name is free, or is that of a whole file.
#include <array>
#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <string>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/temporary_directory.h"

namespace tern {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

// Ends it, if it still runs.
class Process {
 public:
  // tern `arguments`; no file of it may grow beyond `max_file` bytes, if that
  // is not 0.
  explicit Process(std::vector<std::string> arguments, rlim_t max_file = 0) {
    std::vector<char*> words = {const_cast<char*>(TERN_PROGRAM)};
    for (std::string& word : arguments) words.push_back(word.data());
    words.push_back(nullptr);
    id_ = fork();
    if (id_ != 0) return;
    const int null = open("/dev/null", O_RDWR);
    dup2(null, STDOUT_FILENO);
    dup2(null, STDERR_FILENO);
    if (max_file != 0) {
      const rlimit limit{max_file, max_file};
      setrlimit(RLIMIT_FSIZE, &limit);
    }
    execv(TERN_PROGRAM, words.data());
    _exit(127);
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process() { Kill(); }

  void Kill() {
    if (id_ > 0) kill(id_, SIGKILL);
    Wait();
  }
  // Its exit status, or 1000 + the signal that ended it.
  int Wait() {
    if (id_ <= 0) return status_;
    int status = 0;
    waitpid(id_, &status, 0);
    id_ = -1;
    status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
    return status_;
  }

 private:
  pid_t id_ = -1;
  int status_ = -1;
};

// Three programs at once, of which one does its work and the others say no.
void ExpectOneOfThree(const std::vector<std::string>& words) {
  std::array<Process, 3> programs{Process(words), Process(words),
                                  Process(words)};
  int done = 0;
  for (Process& program : programs) {
    const int status = program.Wait();
    done += status == 0 ? 1 : 0;
    EXPECT_TRUE(status == 0 || status == 1) << status;
  }
  EXPECT_EQ(done, 1);
}

class PackProcessesTest : public testing::Test {
 protected:
  [[nodiscard]] std::vector<std::string> Pack(bool force) const {
    std::vector<std::string> words = {"pack", source_, out_.string()};
    if (force) words.emplace_back("--force");
    return words;
  }
  // What it writes when nobody disturbs it.
  std::string Expected() {
    EXPECT_EQ(Process(Pack(false)).Wait(), 0);
    std::string bytes = ReadFile(out_);
    fs::remove(out_);
    EXPECT_EQ(directory_.FileCount(), 0U);
    return bytes;
  }

  const std::string source_ =
      (fs::path(TERN_SOURCE_DIR) / "tests/golden/zb-bitnet-256").string();
  TemporaryDirectory directory_;
  const fs::path out_ = directory_ / "out.gguf";
};

TEST_F(PackProcessesTest, OneOfManyGetsTheNameAndTheOthersSaySo) {
  const std::string expected = Expected();
  for (int round = 0; round < 5; ++round) {
    fs::remove(out_);
    ExpectOneOfThree(Pack(false));
    EXPECT_EQ(ReadFile(out_), expected);
    EXPECT_EQ(directory_.FileCount(), 1U);
  }
}

TEST_F(PackProcessesTest, WithForceTheNameIsAlwaysThatOfAWholeFile) {
  const std::string expected = Expected();
  WriteFile(out_, "old");
  std::array<Process, 3> programs{Process(Pack(true)), Process(Pack(true)),
                                  Process(Pack(true))};
  const Clock::time_point end = Clock::now() + std::chrono::milliseconds(50);
  while (Clock::now() < end) {
    const std::string now = ReadFile(out_);
    ASSERT_TRUE(now == "old" || now == expected) << now.size();
  }
  for (Process& program : programs) EXPECT_EQ(program.Wait(), 0);
  EXPECT_EQ(ReadFile(out_), expected);
  EXPECT_EQ(directory_.FileCount(), 1U);
}

TEST_F(PackProcessesTest, KilledAtAnyMomentItLeavesTheOldFileOrAWholeNewOne) {
  const std::string expected = Expected();
  const Clock::time_point begin = Clock::now();
  EXPECT_EQ(Process(Pack(false)).Wait(), 0);
  const auto whole = Clock::now() - begin;
  constexpr int kMoments = 25;
  for (const bool has_old : {false, true}) {
    for (int i = 0; i < kMoments; ++i) {
      fs::remove(out_);
      if (has_old) WriteFile(out_, "old");
      Process program(Pack(has_old));
      std::this_thread::sleep_for(whole * i / kMoments);
      program.Kill();
      if (!has_old && !fs::exists(out_)) continue;
      const std::string now = ReadFile(out_);
      EXPECT_TRUE(now == expected || (has_old && now == "old")) << now.size();
    }
  }
  // What killed ones left behind hinders nobody.
  fs::remove(out_);
  EXPECT_EQ(Process(Pack(false)).Wait(), 0);
  EXPECT_EQ(ReadFile(out_), expected);
}

// The same of a directory, which is exchanged as a whole: the weights that are
// there are those of the config.json beside them.
class PackDirectoriesTest : public PackProcessesTest {
 protected:
  [[nodiscard]] std::vector<std::string> Pack(bool force) const {
    std::vector<std::string> words = {"pack", source_, model_.string(),
                                      "--type", "hf"};
    if (force) words.emplace_back("--force");
    return words;
  }
  void WriteOld() const {
    fs::remove_all(model_);
    fs::create_directory(model_);
    WriteFile(model_ / "config.json", "old");
    WriteFile(model_ / "model.safetensors", "old");
  }
  // "old", "new", or what is wrong with it.
  [[nodiscard]] std::string State(const std::string& config,
                                  const std::string& weights) const {
    const std::string c = ReadFile(model_ / "config.json");
    const std::string w = ReadFile(model_ / "model.safetensors");
    if (c == "old" && w == "old") return "old";
    if (c == config && w == weights) return "new";
    return "config.json of " + std::to_string(c.size()) +
           " bytes, weights of " + std::to_string(w.size());
  }

  const fs::path model_ = directory_ / "hf";
};

TEST_F(PackDirectoriesTest, OneOfManyGetsTheNameAndTheOthersSaySo) {
  for (int round = 0; round < 3; ++round) {
    fs::remove_all(model_);
    ExpectOneOfThree(Pack(false));
    EXPECT_TRUE(fs::exists(model_ / "config.json"));
    EXPECT_EQ(directory_.FileCount(), 1U);
  }
}

TEST_F(PackDirectoriesTest, KilledAtAnyMomentItLeavesTheOldOneOrAWholeNewOne) {
  const Clock::time_point begin = Clock::now();
  ASSERT_EQ(Process(Pack(false)).Wait(), 0);
  const auto whole = Clock::now() - begin;
  const std::string config = ReadFile(model_ / "config.json");
  const std::string weights = ReadFile(model_ / "model.safetensors");
  constexpr int kMoments = 25;
  for (const bool has_old : {false, true}) {
    for (int i = 0; i <= kMoments; ++i) {
      fs::remove_all(model_);
      if (has_old) WriteOld();
      Process program(Pack(has_old));
      std::this_thread::sleep_for(whole * i / kMoments);
      program.Kill();
      if (!has_old && !fs::exists(model_)) continue;
      const std::string state = State(config, weights);
      EXPECT_TRUE(state == "new" || (has_old && state == "old")) << state;
    }
  }
  fs::remove_all(model_);
  EXPECT_EQ(Process(Pack(false)).Wait(), 0);
  EXPECT_EQ(directory_.FileCount(), 1U);
}

// SIGXFSZ would end it without a word, and leave its temporary file.
TEST_F(PackProcessesTest, AFileThatMayNotGrowIsAnErrorAndLeavesNothing) {
  for (const rlim_t size : {rlim_t{1000}, rlim_t{100000}, rlim_t{500000}}) {
    EXPECT_EQ(Process(Pack(false), size).Wait(), 1) << size;
    EXPECT_EQ(directory_.FileCount(), 0U) << size;
  }
}

}  // namespace
}  // namespace tern
