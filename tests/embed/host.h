// What tests of an embedded tern share: a model, and texts that a host asks
// for. Through <tern/*.h> and libtern.so alone, as a host has them.
#ifndef TERN_TESTS_EMBED_HOST_H_
#define TERN_TESTS_EMBED_HOST_H_

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include <tern/tern.h>

#include "tests/support/child_process.h"

namespace tern {

class Host : public ::testing::Test {
 protected:
  static std::filesystem::path ModelPath() {
    return std::filesystem::path(TERN_SOURCE_DIR) /
           "tests/golden/z1-bitnet-2b4t-packed";
  }

  static std::shared_ptr<const Model> SharedModel() {
    static const auto model = Model::Load(ModelPath());
    return model;
  }

  static std::vector<Token> Ids(std::size_t count) {
    std::vector<Token> ids;
    for (std::size_t i = 0; i < count; ++i) {
      ids.push_back(static_cast<Token>(1 + i * 37 % 500));
    }
    return ids;
  }

  // The logits after a prompt and some tokens more: all loops of the forward
  // pass have run.
  static std::vector<float> Work(const std::shared_ptr<const Model>& model,
                                 int num_threads) {
    Session session(model, {.context_length = 128, .num_threads = num_threads});
    session.Append(Ids(70));
    Sampler greedy({.temperature = 0});
    for (int i = 0; i < 8; ++i) session.Next(greedy);
    const std::span<const float> logits = session.Logits();
    return {logits.begin(), logits.end()};
  }

  static bool InChild(const std::function<bool()>& work) {
    return tern::InChild(60, work);
  }
};

}  // namespace tern

#endif  // TERN_TESTS_EMBED_HOST_H_
