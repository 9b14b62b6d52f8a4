// A host that calls fork() after loading, at rest and in the middle of work:
// what a child may do works, and the rest is refused.  The rest of the rules
// about a Session: tests/runtime/session_process_test.cc.
#include <atomic>
#include <chrono>
#include <functional>
#include <omp.h>
#include <optional>
#include <string>
#include <tern.h>
#include <thread>
#include <vector>

#include "tests/embed/host.h"

namespace tern {
namespace {

using std::chrono::milliseconds;

class HostFork : public Host {
 protected:
  static GenerateRequest Request(std::size_t max_tokens) {
    GenerateRequest request;
    request.prompt = Ids(20);
    request.sampler = {.seed = 5};
    request.max_tokens = max_tokens;
    request.ignore_end_of_text = true;
    return request;
  }

  // The tokens of a request, from a scheduler that does nothing else.
  static std::vector<Token> Generate(Scheduler& scheduler) {
    std::vector<Token> tokens;
    GenerateRequest request = Request(12);
    request.on_token = [&](const GeneratedToken& t) {
      tokens.push_back(t.token);
      return true;
    };
    scheduler.Submit(std::move(request));
    scheduler.Drain(milliseconds(30000));
    return tokens;
  }
};

TEST_F(HostFork, AChildRefusesASchedulerThatIsBusyAndCanDestroyIt) {
  std::optional<Scheduler> scheduler(
      std::in_place, SharedModel(),
      SchedulerOptions{.slots = 4, .num_threads = 2});
  std::atomic<int> ended = 0;
  for (int i = 0; i < 4; ++i) {
    GenerateRequest request = Request(300);
    request.on_end = [&](const GenerateResult& result) {
      if (result.reason == FinishReason::kLength) ++ended;
    };
    scheduler->Submit(std::move(request));
  }
  // At moments of every kind: the mutex held, a map half changed.
  for (int i = 0; i < 20; ++i) {
    EXPECT_TRUE(InChild([&] {
      const bool refused =
          IsRefusedAfterFork([&] { scheduler->Submit(Request(1)); }) &&
          IsRefusedAfterFork([&] { scheduler->Cancel(1); }) &&
          IsRefusedAfterFork([&] { scheduler->CancelAll(); }) &&
          IsRefusedAfterFork([&] { scheduler->Close(); }) &&
          IsRefusedAfterFork([&] { scheduler->Drain(milliseconds(1)); }) &&
          IsRefusedAfterFork([&] { (void)scheduler->Statistics(); });
      const std::size_t slots = scheduler->slots();
      scheduler.reset();
      return refused && slots == 4 && ended <= 4;
    }));
  }
  EXPECT_TRUE(scheduler->Drain(milliseconds(60000)));
  EXPECT_EQ(ended, 4);
}

TEST_F(HostFork, AChildMayMakeASchedulerOfItsOwn) {
  std::vector<Token> want;
  {
    Scheduler scheduler(SharedModel(), {.num_threads = 2});
    want = Generate(scheduler);
  }
  EXPECT_EQ(want.size(), 12U);
  Scheduler parents(SharedModel(), {.num_threads = 2});
  EXPECT_TRUE(InChild([&] {
    Scheduler own(SharedModel(), {.num_threads = 2});
    return Generate(own) == want;
  }));
  EXPECT_EQ(Generate(parents), want);
}

TEST_F(HostFork, AnEmbedderOfTheParentIsRefusedAndANewOneWorks) {
  Embedder embedder(SharedModel(), {.num_threads = 2});
  const std::vector<float> want = embedder.Embed(Ids(30));
  EXPECT_TRUE(InChild([&] {
    Embedder own(SharedModel(), {.num_threads = 2});
    return IsRefusedAfterFork([&] { (void)embedder.Embed(Ids(30)); }) &&
           own.Embed(Ids(30)) == want;
  }));
  EXPECT_EQ(embedder.Embed(Ids(30)), want);
}

TEST_F(HostFork, AChildWorksThoughTheParentWasWorking) {
  const std::vector<float> want = Work(SharedModel(), 2);
  std::atomic<bool> ended = false;
  std::atomic<int> wrong = 0;
  std::thread worker([&] {
    while (!ended) {
      if (Work(SharedModel(), 2) != want) ++wrong;
    }
  });
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(InChild([&] { return Work(SharedModel(), 2) == want; }));
    EXPECT_TRUE(
        InChild([&] { return Work(Model::Load(ModelPath()), 3) == want; }));
  }
  ended = true;
  worker.join();
  EXPECT_EQ(wrong, 0);
}

// The host's OpenMP has threads that its child has not.
TEST_F(HostFork, AChildWorksThoughTheHostUsesOpenMp) {
  const std::vector<float> want = Work(SharedModel(), 3);
  int members = 0;
#pragma omp parallel num_threads(3)
#pragma omp single
  members = omp_get_num_threads();
  EXPECT_GE(members, 1);
  EXPECT_TRUE(InChild([&] { return Work(SharedModel(), 3) == want; }));
}

TEST_F(HostFork, TheCInterfaceRefusesByStatus) {
  tern_model* model = nullptr;
  ASSERT_EQ(tern_model_load(ModelPath().c_str(), nullptr, &model), TERN_OK);
  tern_session* session = nullptr;
  ASSERT_EQ(tern_session_new(model, nullptr, &session), TERN_OK);
  const tern_token token = 5;
  EXPECT_TRUE(InChild([&] {
    const bool refused =
        tern_session_append(session, &token, 1) == TERN_INVALID_ARGUMENT &&
        std::string(tern_last_error()).find("before fork()") !=
            std::string::npos;
    tern_session* own = nullptr;
    const bool works = tern_session_new(model, nullptr, &own) == TERN_OK &&
                       tern_session_append(own, &token, 1) == TERN_OK;
    tern_session_free(own);
    tern_session_free(session);
    tern_model_free(model);
    return refused && works;
  }));
  EXPECT_EQ(tern_session_append(session, &token, 1), TERN_OK);
  tern_session_free(session);
  tern_model_free(model);
}

}  // namespace
}  // namespace tern
