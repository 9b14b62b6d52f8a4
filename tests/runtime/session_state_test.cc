// Save, Restore and Fork: the same bits go on, and what does not belong or is
// damaged is refused.
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <tern/error.h>
#include <tern/random_model.h>
#include <tern/sampler.h>

#include "runtime/checksum.h"
#include "tests/runtime/session_fixture.h"
#include "tests/support/expect_error.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/tiny_model.h"

namespace tern {
namespace {

constexpr KvType kKvTypes[] = {KvType::kF32, KvType::kF16, KvType::kQ8};

class SessionState : public SessionFixture {
 protected:
  static std::string Saved(const Session& session) {
    std::ostringstream stream;
    session.Save(stream);
    return stream.str();
  }
  static Session Restored(const std::shared_ptr<const Model>& model,
                          const std::string& bytes,
                          const SessionOptions& options = {}) {
    std::istringstream stream(bytes);
    return Session::Restore(model, stream, options);
  }
  // The logits now, and after more tokens.
  std::vector<float> GoOn(Session session) {
    std::vector<float> all = LogitsOf(session);
    session.Append(Ids(0, 9));
    const std::vector<float> more = LogitsOf(session);
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
};

TEST_F(SessionState, RestoredAndForkedSessionsGiveTheSameBits) {
  for (const KvType kv : kKvTypes) {
    for (const std::size_t count : {1, 63, 64, 65, 90}) {
      Session session(model_, {.kv_type = kv});
      session.Append(Ids(0, count));
      Session restored =
          Restored(model_, Saved(session), {.kv_type = kv, .num_threads = 1});
      Session fork = session.Fork();
      EXPECT_EQ(TokensOf(restored), TokensOf(session));
      EXPECT_EQ(TokensOf(fork), TokensOf(session));
      const std::vector<float> want = GoOn(std::move(session));
      EXPECT_EQ(GoOn(std::move(restored)), want) << count;
      EXPECT_EQ(GoOn(std::move(fork)), want) << count;
    }
  }
}

TEST_F(SessionState, ATokenThatWasChosenButNotRunIsKept) {
  Sampler greedy({.temperature = 0});
  Session session(model_, {});
  session.Append(Ids(0, 64));
  session.Next(greedy);
  Session restored = Restored(model_, Saved(session));
  Session fork = session.Fork();
  EXPECT_EQ(restored.tokens().size(), 65U);
  const std::vector<float> want = GoOn(std::move(session));
  EXPECT_EQ(GoOn(std::move(restored)), want);
  EXPECT_EQ(GoOn(std::move(fork)), want);
}

TEST_F(SessionState, ATruncatedSessionIsKept) {
  Session session(model_, {});
  session.Append(Ids(0, 70));
  session.Truncate(66);
  Session restored = Restored(model_, Saved(session));
  EXPECT_EQ(LogitsOf(restored), LogitsAfter(66));
}

TEST_F(SessionState, AnEmptySessionIsKept) {
  const Session session(model_, {});
  Session restored = Restored(model_, Saved(session));
  EXPECT_TRUE(restored.tokens().empty());
  Session fork = session.Fork();
  fork.Append(Ids(0, 7));
  EXPECT_EQ(LogitsOf(fork), LogitsAfter(7));
}

TEST_F(SessionState, ForksGoTheirOwnWays) {
  Session prefix(model_, {});
  prefix.Append(Ids(0, 70));
  Session a = prefix.Fork();
  Session b = prefix.Fork();
  a.Append(Ids(70, 5));
  b.Append(Ids(80, 9));
  prefix.Append(Ids(40, 3));
  std::vector<Token> b_ids(ids_.begin(), ids_.begin() + 70);
  b_ids.insert(b_ids.end(), ids_.begin() + 80, ids_.begin() + 89);
  Session b_alone(model_, {});
  b_alone.Append(b_ids);
  EXPECT_EQ(LogitsOf(a), LogitsAfter(75));
  EXPECT_EQ(LogitsOf(b), LogitsOf(b_alone));
}

TEST_F(SessionState, ForksMayWorkAtOnce) {
  Session prefix(model_, {.num_threads = 1});
  prefix.Append(Ids(0, 70));
  std::vector<Session> forks;
  for (int i = 0; i < 3; ++i) forks.push_back(prefix.Fork());
  std::vector<std::thread> threads;
  for (Session& fork : forks) {
    threads.emplace_back([&] { fork.Append(Ids(70, 20)); });
  }
  for (std::thread& thread : threads) thread.join();
  for (Session& fork : forks) EXPECT_EQ(LogitsOf(fork), LogitsAfter(90));
}

TEST_F(SessionState, TheSameContextGivesTheSameBytes) {
  // What was in the cache behind the last token does not get out.
  Session one(model_, {.num_threads = 1});
  one.Append(Ids(0, 40));
  Session other(model_, {.context_length = 100, .num_threads = 2});
  other.Append(Ids(0, 90));
  other.Truncate(40);
  (void)other.Logits();
  EXPECT_EQ(Saved(one), Saved(other));
}

TEST_F(SessionState, AFileGoesBackAndForth) {
  const TemporaryDirectory folder;
  const std::filesystem::path path = folder / "prefix.session";
  Session session(model_, {});
  session.Append(Ids(0, 33));
  session.Save(path);
  session.Save(path);  // over an old one
  EXPECT_EQ(folder.FileCount(), 1U);
  Session restored = Session::Restore(model_, path);
  EXPECT_EQ(LogitsOf(restored), LogitsAfter(33));
  std::ofstream(path, std::ios::app) << 'x';
  ExpectError(ErrorCode::kMalformed, {"prefix.session: byte ", "more bytes"},
              [&] { (void)Session::Restore(model_, path); });
  ExpectError(ErrorCode::kNotFound, {"none: no such file"},
              [&] { (void)Session::Restore(model_, folder / "none"); });
}

TEST_F(SessionState, AStreamMayHoldMore) {
  Session session(model_, {});
  session.Append(Ids(0, 5));
  std::istringstream stream(Saved(session) + Saved(session) + "end");
  (void)Session::Restore(model_, stream);
  (void)Session::Restore(model_, stream);
  std::string rest;
  stream >> rest;
  EXPECT_EQ(rest, "end");
}

TEST_F(SessionState, AStreamThatTakesNoBytesIsAnError) {
  Session session(model_, {});
  session.Append(Ids(0, 5));
  std::ofstream full("/dev/full", std::ios::binary);
  ExpectError(ErrorCode::kIo, {"session: ", "no more bytes"},
              [&] { session.Save(full); });
}

TEST_F(SessionState, AnotherModelIsRefused) {
  Session session(model_, {});
  session.Append(Ids(0, 5));
  const auto other = Model::Load(testing::GoldenDir() / "zb-bitnet-256");
  ExpectError(ErrorCode::kInvalidArgument, {"saved session: ", "another model"},
              [&] { (void)Restored(other, Saved(session)); });
}

// Two models whose files differ in one scale, and one that is loaded twice.
TEST_F(SessionState, TheFingerprintKnowsWeightsAndNotNamesOrFiles) {
  const TemporaryDirectory folder;
  TinyModel tiny;
  WriteTinyGguf(tiny, folder / "a.gguf");
  tiny.scale = 0.25F;
  WriteTinyGguf(tiny, folder / "b.gguf");
  const auto fingerprint = [](const std::filesystem::path& path,
                              HeadForm head = HeadForm::kAuto) {
    return Model::Load(path, {.head = head})->fingerprint();
  };
  EXPECT_EQ(fingerprint(folder / "a.gguf"), fingerprint(folder / "a.gguf"));
  EXPECT_NE(fingerprint(folder / "a.gguf"), fingerprint(folder / "b.gguf"));
  EXPECT_EQ(fingerprint(folder / "a.gguf"),
            fingerprint(folder / "a.gguf", HeadForm::kQ8));
}

TEST_F(SessionState, AnotherTypeOfCacheIsRefused) {
  Session session(model_, {.kv_type = KvType::kQ8});
  session.Append(Ids(0, 5));
  ExpectError(ErrorCode::kInvalidArgument, {"type q8", "is f16"},
              [&] { (void)Restored(model_, Saved(session)); });
}

TEST_F(SessionState, AContextThatIsTooShortIsRefused) {
  Session session(model_, {});
  session.Append(Ids(0, 50));
  const std::string bytes = Saved(session);
  ExpectError(ErrorCode::kContextFull, {"50 tokens"},
              [&] { (void)Restored(model_, bytes, {.context_length = 49}); });
  EXPECT_EQ(Restored(model_, bytes, {.context_length = 50}).tokens().size(),
            50U);
}

TEST_F(SessionState, EveryTruncationIsRefused) {
  Session session(model_, {.context_length = 64, .num_threads = 1});
  session.Append(Ids(0, 3));
  const std::string bytes = Saved(session);
  const std::size_t step = bytes.size() / 200;
  for (std::size_t size = 0; size < bytes.size();
       size += size < 100 ? 1 : step) {
    ExpectError(ErrorCode::kMalformed, {"saved session: "}, [&] {
      (void)Restored(model_, bytes.substr(0, size),
                     {.context_length = 64, .num_threads = 1});
    });
  }
}

TEST_F(SessionState, EveryChangedByteIsRefused) {
  Session session(model_, {.context_length = 64, .num_threads = 1});
  session.Append(Ids(0, 3));
  const std::string bytes = Saved(session);
  const std::size_t step = bytes.size() / 200;
  for (std::size_t at = 0; at < bytes.size(); at += at < 70 ? 1 : step) {
    for (const int bit : {0, 7}) {
      std::string bad = bytes;
      bad[at] = static_cast<char>(bad[at] ^ (1 << bit));
      ExpectError(ErrorCode::kMalformed, {"saved session: "}, [&] {
        (void)Restored(model_, bad, {.context_length = 64, .num_threads = 1});
      });
    }
  }
}

TEST_F(SessionState, AHugeNumberOfTokensIsNotBelieved) {
  // A sound header that promises 2^60 tokens.
  Session session(model_, {});
  session.Append(Ids(0, 3));
  std::string bytes = Saved(session);
  const std::uint64_t many = std::uint64_t{1} << 60U;
  std::memcpy(bytes.data() + 24, &many, 8);
  std::memcpy(bytes.data() + 32, &many, 8);
  Checksum sum;
  sum.Add({reinterpret_cast<const std::uint8_t*>(bytes.data()), 40});
  const std::uint64_t value = sum.value();
  std::memcpy(bytes.data() + 40, &value, 8);
  ExpectError(ErrorCode::kContextFull, {"1152921504606846976 tokens"},
              [&] { (void)Restored(model_, bytes); });
}

}  // namespace
}  // namespace tern
