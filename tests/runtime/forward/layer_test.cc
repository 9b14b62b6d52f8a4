// One layer at a time from the reference's own hidden states: below the chaos
// that one int8 rounding starts, where agreement can be demanded.
#include "tests/runtime/forward/layer_test.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>

#include <gtest/gtest.h>

#include <tern/model.h>

#include "packing/tiles.h"
#include "runtime/forward/transformer.h"
#include "ternary_kernels/activations.h"
#include "ternary_kernels/matvec.h"
#include "ternary_kernels/reference.h"
#include "tests/support/checkpoint_reference.h"
#include "tests/support/golden.h"

namespace tern::testing {
namespace {

constexpr double kTolerance = 1e-4;
constexpr double kNearBoundary = 3e-5;
constexpr double kMostRoundedOtherwise = 0.15;  // of all positions

// Runs one layer of the runtime on x [tokens][hidden] at position 0.
class LayerRunner {
 public:
  LayerRunner(std::shared_ptr<const Model> model, std::size_t tokens)
      : model_(std::move(model)),
        cache_(model_->config(), tokens, KvType::kF32),
        work_(model_->config(), tokens, 2),
        tokens_(tokens) {}

  std::vector<float> Run(std::size_t layer, const std::vector<float>& x) {
    const TokenRun run{&cache_, 0, tokens_};
    const ForwardPass pass{
        model_->config(), model_->weights(), {&run, 1}, work_, team_};
    std::memcpy(work_.x.data(), x.data(), x.size() * sizeof(float));
    PreparePositions(pass);
    RunLayer(pass, layer);
    return {work_.x.data(), work_.x.data() + x.size()};
  }

 private:
  std::shared_ptr<const Model> model_;
  KvCache cache_;
  Workspace work_;
  Team team_{2};
  std::size_t tokens_;
};

struct Positions {
  std::size_t all = 0;
  std::size_t near_boundary = 0;
  std::size_t rounded_otherwise = 0;  // near one, and beyond the tolerance
};

// Compares rows [tokens][hidden] and counts the positions.
void CheckRows(const std::vector<float>& got, const std::vector<float>& want,
               const LayerResult& reference, const std::string& where,
               Positions& positions) {
  const std::size_t tokens = reference.boundary_distance.size();
  const std::size_t hidden = want.size() / tokens;
  for (std::size_t t = 0; t < tokens; ++t) {
    const Difference d =
        Compare(got.data() + t * hidden, want.data() + t * hidden, hidden);
    const bool near = reference.boundary_distance[t] < kNearBoundary;
    ++positions.all;
    positions.near_boundary += near ? 1 : 0;
    if (d.max <= kTolerance) continue;
    positions.rounded_otherwise += near ? 1 : 0;
    EXPECT_TRUE(near) << where << ", position " << t << ": " << d.max;
  }
}

}  // namespace

class LayerTest : public ::testing::TestWithParam<LayerCase> {};

TEST_P(LayerTest, EachLayerFollowsFromTheReferenceHiddenState) {
  const LayerCase& c = GetParam();
  const auto model = Model::Load(c.model);
  const ReferenceModel reference_model =
      ReadReferenceModel(checkpoint::Open(c.model));
  const Golden golden(c.golden);
  const std::size_t layers = model->config().num_layers;
  Positions positions;
  for (const std::string& name : golden.Names(".hidden.0")) {
    const std::size_t tokens = golden.Ids(name + ".ids").size();
    LayerRunner runner(model, tokens);
    for (std::size_t i = 0; i < layers; ++i) {
      const std::string hidden = name + ".hidden.";
      const std::vector<float> in = golden.Floats(hidden + std::to_string(i));
      const LayerResult reference =
          RunReferenceLayer(reference_model, i, tokens, {in.begin(), in.end()});
      std::vector<float> got = runner.Run(i, in);
      if (i + 1 == layers) {  // hidden.L is taken after the final norm
        const std::vector<double> normed =
            ReferenceNorm({got.begin(), got.end()}, reference_model.output_norm,
                          reference_model.norm_eps);
        got.assign(normed.begin(), normed.end());
      }
      CheckRows(got, golden.Floats(hidden + std::to_string(i + 1)), reference,
                name + " layer " + std::to_string(i), positions);
    }
  }
  ASSERT_GT(positions.all, 0U) << "the golden file has no hidden states";
  std::printf(
      "%zu of %zu positions differ by more than %g, all of them among the %zu "
      "where an activation lies within %g of a rounding boundary\n",
      positions.rounded_otherwise, positions.all, kTolerance,
      positions.near_boundary, kNearBoundary);
  EXPECT_LE(static_cast<double>(positions.rounded_otherwise),
            kMostRoundedOtherwise * static_cast<double>(positions.all));
}

// The quantiser and the integer product alone, on real weights and real
// activations: equal to plain loops to the last bit.
TEST_P(LayerTest, QuantiserAndIntegerProductAreExact) {
  const LayerCase& c = GetParam();
  const auto model = Model::Load(c.model);
  const checkpoint::Checkpoint files = checkpoint::Open(c.model);
  if (files.layers[0].q.kind == checkpoint::LinearKind::kDense) {
    EXPECT_FALSE(model->weights().layers[0].q.is_ternary);
    return;  // nothing is quantised in the FP16 twin
  }
  const Golden golden(c.golden);
  const std::string name = golden.Names(".hidden.0").front();
  const std::size_t hidden = model->config().hidden_size;
  for (std::size_t i = 0; i < model->config().num_layers; ++i) {
    const std::vector<float> x =
        golden.Floats(name + ".hidden." + std::to_string(i));
    std::vector<std::int8_t> q(hidden);
    std::vector<std::int8_t> want_q(hidden);
    const float s = kernels::QuantizeActivations(x.data(), hidden, q.data());
    EXPECT_EQ(s, kernels::reference::QuantizeActivations(x.data(), hidden,
                                                         want_q.data()));
    EXPECT_EQ(q, want_q);
    const packing::TernaryMatrix w = checkpoint::ReadLinear(files.layers[i].up);
    AlignedBuffer<std::uint8_t> tables(kernels::NibbleTableBytes(hidden));
    kernels::BuildNibbleTables(q.data(), hidden, tables.data());
    std::vector<std::int32_t> sums(w.rows);
    kernels::MatVec(model->weights().layers[i].up.View(), tables.data(), 0,
                    w.rows, 0, w.cols, sums.data());
    for (std::size_t r = 0; r < w.rows; ++r) {
      std::int32_t want = 0;
      for (std::size_t k = 0; k < w.cols; ++k) {
        want += (static_cast<std::int32_t>(w.Code(r, k)) - 1) * q[k];
      }
      ASSERT_EQ(sums[r], want) << "layer " << i << " row " << r;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, LayerTest, ::testing::ValuesIn(LayerCases()),
                         [](const auto& test) { return test.param.name; });

}  // namespace tern::testing
