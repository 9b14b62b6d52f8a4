// A small model, ids to feed it, and what tests of sessions ask again and
// again.
#ifndef TERN_TESTS_RUNTIME_SESSION_FIXTURE_H_
#define TERN_TESTS_RUNTIME_SESSION_FIXTURE_H_

#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include <tern/model.h>
#include <tern/session.h>

#include "tests/support/golden.h"

namespace tern {

class SessionFixture : public ::testing::Test {
 protected:
  static std::shared_ptr<const Model> SharedModel() {
    static const auto model =
        Model::Load(testing::GoldenDir() / "z1-bitnet-2b4t-packed");
    return model;
  }

  void SetUp() override {
    model_ = SharedModel();
    ids_ = testing::Golden(testing::GoldenDir() / "z1-bitnet-2b4t-packed" /
                           "golden_float32.safetensors")
               .Ids("seq2.ids");
  }

  [[nodiscard]] std::span<const Token> Ids(std::size_t begin,
                                           std::size_t count) const {
    return std::span<const Token>(ids_).subspan(begin, count);
  }

  static std::vector<float> LogitsOf(Session& session) {
    const std::span<const float> logits = session.Logits();
    return {logits.begin(), logits.end()};
  }

  // Of a session that read the first `count` ids at once.
  std::vector<float> LogitsAfter(std::size_t count,
                                 const SessionOptions& options = {}) {
    Session session(model_, options);
    session.Append(Ids(0, count));
    return LogitsOf(session);
  }

  static std::vector<Token> TokensOf(const Session& session) {
    return {session.tokens().begin(), session.tokens().end()};
  }

  std::shared_ptr<const Model> model_;
  std::vector<Token> ids_;
};

}  // namespace tern

#endif  // TERN_TESTS_RUNTIME_SESSION_FIXTURE_H_
