// A whole use of a model: load it, make a session, run a few tokens.
#ifndef TERN_TESTS_FAULTS_TINY_RUN_H_
#define TERN_TESTS_FAULTS_TINY_RUN_H_

#include <filesystem>
#include <memory>
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

// Logits after three tokens and one that is chosen.
inline std::vector<float> LoadAndRun(const std::filesystem::path& path,
                                     int num_threads = 1) {
  const auto model = LoadWith(path, num_threads);
  Session session(model, {.context_length = 16, .num_threads = num_threads});
  session.Append(std::vector<Token>{1, 2, 3});
  Sampler sampler(SamplerOptions{.temperature = 0});
  (void)session.Next(sampler);
  const auto logits = session.Logits();
  return {logits.begin(), logits.end()};
}

}  // namespace tern::testing

#endif  // TERN_TESTS_FAULTS_TINY_RUN_H_
