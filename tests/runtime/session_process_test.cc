// What a process that fork() made may do with a Model and a Session.  The child
// says so by its exit status; a hang ends by SIGALRM.
#include <functional>
#include <optional>
#include <sstream>

#include <tern/error.h>
#include <tern/sampler.h>

#include "tests/runtime/session_fixture.h"
#include "tests/support/child_process.h"

namespace tern {
namespace {

class SessionProcess : public SessionFixture {
 protected:
  static bool InChild(const std::function<bool()>& work) {
    return tern::InChild(20, work);
  }
};

TEST_F(SessionProcess, AChildMayUseAModelWithASessionOfItsOwn) {
  const std::vector<float> want = LogitsAfter(70, {.num_threads = 3});
  EXPECT_TRUE(
      InChild([&] { return LogitsAfter(70, {.num_threads = 3}) == want; }));
}

TEST_F(SessionProcess, AChildMayDestroyASession) {
  std::optional<Session> session(std::in_place, model_,
                                 SessionOptions{.num_threads = 3});
  session->Append(Ids(0, 5));
  EXPECT_TRUE(InChild([&] {
    session.reset();
    return true;
  }));
  session->Append(Ids(5, 5));  // and the parent's is whole
  EXPECT_EQ(LogitsOf(*session), LogitsAfter(10));
}

TEST_F(SessionProcess, AChildMayNotWorkWithASessionOfItsParent) {
  for (const int threads : {1, 3}) {
    Session session(model_, {.num_threads = threads});
    session.Append(Ids(0, 5));
    Sampler greedy({.temperature = 0});
    EXPECT_TRUE(InChild([&] {
      return IsRefusedAfterFork([&] { session.Append(Ids(5, 5)); }) &&
             IsRefusedAfterFork([&] { session.Next(greedy); }) &&
             IsRefusedAfterFork([&] { (void)session.Logits(); }) &&
             IsRefusedAfterFork([&] { session.Truncate(1); }) &&
             session.tokens().size() == 5;
    }));
  }
}

TEST_F(SessionProcess, AChildMayForkAndSaveASessionOfItsParent) {
  const std::vector<float> want = LogitsAfter(90);
  Session prefix(model_, {.num_threads = 2});
  prefix.Append(Ids(0, 70));
  EXPECT_TRUE(InChild([&] {
    Session fork = prefix.Fork();
    fork.Append(Ids(70, 20));
    std::stringstream stream;
    prefix.Save(stream);
    Session restored = Session::Restore(model_, stream);
    restored.Append(Ids(70, 20));
    return LogitsOf(fork) == want && LogitsOf(restored) == want;
  }));
}

}  // namespace
}  // namespace tern
