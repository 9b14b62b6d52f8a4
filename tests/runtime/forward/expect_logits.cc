#include "tests/runtime/forward/expect_logits.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <string>

#include <gtest/gtest.h>

#include <tern/session.h>

#include "tests/support/golden.h"

namespace tern::testing {
namespace {

// How large the logits are, in units of the tolerances.
double LogitScale(const std::vector<float>& logits) {
  double squares = 0;
  for (const float v : logits) squares += static_cast<double>(v) * v;
  const double deviation =
      std::sqrt(squares / static_cast<double>(logits.size()));
  return std::max(deviation / 2, 1.0);
}

}  // namespace

std::vector<float> LogitsOf(const std::shared_ptr<const Model>& model,
                            const std::vector<std::int32_t>& ids,
                            std::size_t chunk, int num_threads) {
  Session session(model, {.context_length = ids.size(),
                          .kv_type = KvType::kF32,
                          .num_threads = num_threads});
  std::vector<float> all;
  for (std::size_t begin = 0; begin < ids.size(); begin += chunk) {
    const std::size_t size = std::min(chunk, ids.size() - begin);
    session.Append({ids.data() + begin, size},
                   [&](std::size_t, std::span<const float> logits) {
                     all.insert(all.end(), logits.begin(), logits.end());
                   });
  }
  return all;
}

void ExpectLogits(const std::vector<float>& got, const std::vector<float>& want,
                  const std::vector<double>& boundary_distance) {
  ASSERT_EQ(got.size(), want.size());
  const double scale = LogitScale(want);
  const std::size_t tokens = boundary_distance.size();
  const std::size_t vocab = want.size() / tokens;
  for (std::size_t t = 0; t < tokens; ++t) {
    const Difference d =
        Compare(got.data() + t * vocab, want.data() + t * vocab, vocab);
    if (boundary_distance[t] >= kNearBoundary) {
      EXPECT_LE(d.max, kExactTolerance * scale) << "position " << t;
    }
    EXPECT_LE(d.rms, kRoundedRms * scale) << "position " << t;
    EXPECT_LE(d.max, kRoundedMax * scale) << "position " << t;
  }
}

void ExpectFloatLogits(const std::vector<float>& got,
                       const std::vector<float>& want) {
  ASSERT_EQ(got.size(), want.size());
  const Difference d = Compare(got.data(), want.data(), want.size());
  EXPECT_LE(d.max, kFloatTolerance * LogitScale(want));
}

void ExpectReference(const std::filesystem::path& path,
                     const ReferenceModel& reference,
                     const LoadOptions& options) {
  const auto model = Model::Load(path, options);
  EXPECT_EQ(model->config().input_type == InputType::kInt8,
            reference.int8_input);
  std::size_t exact = 0;
  for (unsigned seed = 1; seed <= 3; ++seed) {
    SCOPED_TRACE("sequence " + std::to_string(seed));
    const std::vector<std::int32_t> ids = RandomIds(reference, 12, seed);
    const ReferenceOutput want = RunReference(reference, ids);
    const std::vector<float> got = LogitsOf(model, ids);
    if (reference.int8_input) {
      ExpectLogits(got, want.logits, want.boundary_distance);
    } else {
      ExpectFloatLogits(got, want.logits);
    }
    if (seed == 1) {
      EXPECT_EQ(LogitsOf(model, ids, 1, 1), got) << "token by token";
      EXPECT_EQ(LogitsOf(model, ids, 5, 1), got) << "five tokens at a time";
    }
    for (const double distance : want.boundary_distance) {
      exact += distance >= kNearBoundary ? 1 : 0;
    }
  }
  EXPECT_GE(exact, 2U) << "too few positions can be compared exactly";
}

}  // namespace tern::testing
