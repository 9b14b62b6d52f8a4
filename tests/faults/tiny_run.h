// A whole use of a model: load it, make a session, run a few tokens.
#ifndef TERN_TESTS_FAULTS_TINY_RUN_H_
#define TERN_TESTS_FAULTS_TINY_RUN_H_

#include <array>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include <tern/model.h>
#include <tern/sampler.h>
#include <tern/session.h>

namespace tern::testing {

inline const std::filesystem::path kGolden =
    std::filesystem::path(TERN_SOURCE_DIR) / "tests/golden";

inline std::shared_ptr<const Model> LoadWith(const std::filesystem::path& path,
                                             int num_threads) {
  LoadOptions options;
  options.num_threads = num_threads;
  return Model::Load(path, options);
}

// Three tokens, one that is chosen, and what `use` does with the logits after
// it; allocates nothing itself.
template <class Use>
void LoadAndUse(const std::filesystem::path& path, int num_threads,
                const Use& use) {
  constexpr std::array<Token, 3> kTokens = {1, 2, 3};
  const auto model = LoadWith(path, num_threads);
  Session session(model, {.context_length = 16, .num_threads = num_threads});
  session.Append(kTokens);
  Sampler sampler(SamplerOptions{.temperature = 0});
  (void)session.Next(sampler);
  use(session.Logits());
}

inline std::vector<float> LoadAndRun(const std::filesystem::path& path,
                                     int num_threads = 1) {
  std::vector<float> logits;
  LoadAndUse(path, num_threads, [&](std::span<const float> all) {
    logits.assign(all.begin(), all.end());
  });
  return logits;
}

}  // namespace tern::testing

#endif  // TERN_TESTS_FAULTS_TINY_RUN_H_
