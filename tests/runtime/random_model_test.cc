// Models made in memory to be timed: codes that are codes, activations that
// stay finite through all layers, and the check that comes before the timing.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <memory>
#include <numbers>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <tern/bandwidth.h>
#include <tern/cpu.h>
#include <tern/error.h>
#include <tern/random_model.h>
#include <tern/reference_check.h>
#include <tern/session.h>

#include "packing/half.h"
#include "packing/tiles.h"
#include "runtime/dense_tolerance.h"
#include "runtime/weights.h"

namespace tern {
namespace {

// Sizes that fill no tile: rows that are no multiple of 64, columns of neither
// 32 nor 4.
ModelConfig OddShape() {
  ModelConfig config = RandomShape("bitnet-700m");
  config.name = "odd";
  config.hidden_size = 150;
  config.num_layers = 3;
  config.ffn_size = 201;
  config.num_heads = 6;
  config.num_kv_heads = 3;
  config.head_dim = 18;
  config.vocab_size = 301;
  return config;
}

std::vector<float> Logits(const std::shared_ptr<const Model>& model,
                          const std::vector<Token>& tokens) {
  Session session(model, {.context_length = 64, .num_threads = 2});
  session.Append(tokens);
  const auto logits = session.Logits();
  return {logits.begin(), logits.end()};
}

ErrorCode CodeOf(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.code();
  }
  ADD_FAILURE() << "no error";
  return ErrorCode::kIo;
}

void CountCodes(const Linear& w, std::array<double, 3>& counts) {
  const std::size_t groups = packing::PaddedCols(w.cols) / packing::kTileCols;
  for (std::size_t r = 0; r < packing::PaddedRows(w.rows); ++r) {
    for (std::size_t c = 0; c < groups * packing::kTileCols; ++c) {
      const unsigned code =
          packing::TileCode(w.ternary.tiles.data(), w.cols, r, c);
      ASSERT_LE(code, 2U) << r << ", " << c;
      if (r >= w.rows || c >= w.cols) {
        ASSERT_EQ(code, 1U) << r << ", " << c;
      } else {
        counts.at(code) += 1;
      }
    }
  }
}

TEST(RandomModel, EveryCodeIsValidPaddingIsZeroAndAThirdIsOfEachKind) {
  const auto model = MakeRandomModel(OddShape());
  std::array<double, 3> counts{};
  for (const LayerWeights& layer : model->weights().layers) {
    for (const Linear* w : {&layer.q, &layer.k, &layer.v, &layer.o, &layer.gate,
                            &layer.up, &layer.down}) {
      CountCodes(*w, counts);
    }
  }
  const double all = counts[0] + counts[1] + counts[2];
  for (const double count : counts) {
    EXPECT_NEAR(count / all, 1.0 / 3, 0.01);  // 10 sigma
  }
}

TEST(RandomModel, DenseWeightsAreNormal) {
  const auto model = MakeRandomModel(OddShape());
  const DenseMatrix& w = model->weights().embedding.dense;
  ASSERT_EQ(w.type, kernels::DenseType::kF16);
  double sum = 0;
  double squares = 0;
  double within = 0;  // one deviation
  const std::size_t count = w.rows * w.cols;
  for (std::size_t i = 0; i < count; ++i) {
    std::uint16_t half = 0;
    std::memcpy(&half, w.data.data() + 2 * i, 2);
    const double value = packing::F16ToF32(half);
    sum += value;
    squares += value * value;
    within += std::abs(value) < 0.02 ? 1 : 0;
  }
  const auto n = static_cast<double>(count);
  EXPECT_NEAR(sum / n, 0, 0.001);
  EXPECT_NEAR(std::sqrt(squares / n), 0.02, 0.0005);
  EXPECT_NEAR(within / n, 0.683, 0.01);
}

TEST(RandomModel, TheSameSeedGivesTheSameModelOnAnyNumberOfThreads) {
  const std::vector<Token> tokens = {1, 5, 300, 0, 17};
  for (const WeightFormat format :
       {WeightFormat::kTernary, WeightFormat::kF16}) {
    const auto one = Logits(
        MakeRandomModel(OddShape(), {.format = format, .num_threads = 1}),
        tokens);
    EXPECT_EQ(Logits(MakeRandomModel(OddShape(),
                                     {.format = format, .num_threads = 3}),
                     tokens),
              one);
    EXPECT_NE(Logits(MakeRandomModel(OddShape(), {.format = format, .seed = 2}),
                     tokens),
              one);
  }
}

// A width that is like that of real models matters here, the depth too.
TEST(RandomModel, LogitsNeitherExplodeNorVanishThroughEightyLayers) {
  for (const char* name : {"bitnet-700m", "bitnet-2b4t", "70b"}) {
    ModelConfig config = RandomShape(name);
    config.hidden_size = 128;
    config.ffn_size = 384;
    config.head_dim = 32;
    config.num_heads = 4;
    config.num_kv_heads = 2;
    config.vocab_size = 512;
    config.num_layers = 80;
    for (const WeightFormat format :
         {WeightFormat::kTernary, WeightFormat::kF16}) {
      const auto logits =
          Logits(MakeRandomModel(config, {.format = format}), {1, 2, 3, 4});
      double squares = 0;
      for (const float logit : logits) squares += logit * logit;
      const double rms = std::sqrt(squares / 512);
      EXPECT_GT(rms, 0.05) << name;
      EXPECT_LT(rms, 1.0) << name;  // 0.02 * sqrt(128) = 0.23
    }
  }
}

TEST(RandomModel, EveryShapeIsOneThatTheForwardPassTakes) {
  const std::vector<std::string> names = RandomShapeNames();
  EXPECT_EQ(names.size(), 9U);
  std::uint64_t last = 0;
  for (const std::string& name : names) {
    const ModelConfig config = RandomShape(name);
    EXPECT_EQ(config.name, name);
    EXPECT_EQ(config.num_heads % config.num_kv_heads, 0U);
    const std::uint64_t bytes =
        RandomModelBytes(config, WeightFormat::kTernary);
    EXPECT_GT(bytes, 250U << 20U) << name;
    EXPECT_GT(RandomModelBytes(config, WeightFormat::kF16), 2 * bytes) << name;
    last = std::max(last, bytes);
  }
  // 70e9 weights at 2 bits, and 2 x 32000 x 8192 in f16.
  EXPECT_NEAR(static_cast<double>(last), 18.2e9, 0.3e9);
}

TEST(RandomModel, SizesInMemoryAreThoseForetold) {
  for (const WeightFormat format :
       {WeightFormat::kTernary, WeightFormat::kF16}) {
    const auto model = MakeRandomModel(OddShape(), {.format = format});
    const std::uint64_t foretold = RandomModelBytes(OddShape(), format);
    EXPECT_GE(model->weights_bytes(), foretold);
    EXPECT_LT(model->weights_bytes(), foretold + 10000);  // norms, scales
    EXPECT_EQ(model->linear_type(),
              format == WeightFormat::kTernary ? "ternary" : "f16");
    EXPECT_FALSE(model->has_tokenizer());
    EXPECT_THROW((void)model->tokenizer(), Error);
  }
}

TEST(RandomModel, WhatCannotBeMadeIsRefused) {
  EXPECT_EQ(CodeOf([] { (void)RandomShape("bitnet-3"); }),
            ErrorCode::kInvalidArgument);
  ModelConfig huge = RandomShape("70b");
  huge.num_layers = 4000;
  EXPECT_EQ(
      CodeOf([&] { MakeRandomModel(huge, {.format = WeightFormat::kF16}); }),
      ErrorCode::kOutOfMemory);
  ModelConfig wrong = OddShape();
  wrong.num_kv_heads = 4;
  EXPECT_EQ(CodeOf([&] { MakeRandomModel(wrong); }), ErrorCode::kUnsupported);
}

TEST(ReferenceCheck, PassesOnEveryTargetAndForEveryKindOfLayer) {
  const std::string best = ActiveTarget();
  for (const std::string& target : SupportedTargets()) {
    ForceTarget(target);
    for (const InputType type : {InputType::kInt8, InputType::kFloat}) {
      ModelConfig config = OddShape();
      config.input_type = type;
      const auto check = CheckAgainstReference(*MakeRandomModel(config), 2);
      // q, k = v, o, gate = up, down, head.
      EXPECT_EQ(check.matrices, 6U);
      EXPECT_EQ(check.rows, 6U * 64 - (64 - 54));  // k has 54 rows
    }
    (void)CheckAgainstReference(
        *MakeRandomModel(OddShape(), {.format = WeightFormat::kF16}), 2);
  }
  ForceTarget(best);
}

// A weight that is damaged between the kernel and the reference cannot be made,
// they read the same bytes; a scale that is not a number can.
TEST(ReferenceCheck, FailsForAnOutputThatIsNotANumber) {
  const auto model = MakeRandomModel(OddShape());
  auto& scale = const_cast<float&>(
      model->weights().layers[0].down.ternary.scales.front());
  scale = std::numeric_limits<float>::quiet_NaN();
  try {
    (void)CheckAgainstReference(*model, 1);
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()).substr(0, 20), "odd: down [150][201]")
        << error.what();
  }
}

// A code 3, which is none, is a weight of 2 to the kernels' tables and 0 to the
// plain loops.
TEST(ReferenceCheck, FailsForAWrongSum) {
  const auto model = MakeRandomModel(OddShape());
  const WeightBytes& tiles = model->weights().layers[0].down.ternary.tiles;
  const_cast<WeightBytes&>(tiles).data()[0] = 0xff;
  EXPECT_THROW((void)CheckAgainstReference(*model, 1), Error);
}

// Products of normal weights and inputs whose sum has variance 1.
TEST(ReferenceCheck, AllowsDenseOutputsNoMoreThanTheRoundingOfTheirSums) {
  const std::size_t cols = 23040;  // the longest rows of the known shapes
  const double magnitude =
      2 / std::numbers::pi * std::sqrt(static_cast<double>(cols));
  EXPECT_LT(DenseTolerance(cols, magnitude), 0.005);
  // And no less than that of a chain of the additions of one block.
  EXPECT_GE(DenseTolerance(512, 1.0), std::ldexp(512.0, -24));
}

TEST(ReferenceCheck, SaysIfAHeadThatBecameInt8WasLeftOut) {
  for (const bool tied : {true, false}) {
    ModelConfig config = OddShape();
    config.tied_head = tied;
    const auto check = CheckAgainstReference(
        *MakeRandomModel(config, {.head = HeadForm::kQ8}), 1);
    EXPECT_EQ(check.head, tied);
    EXPECT_EQ(check.matrices, tied ? 6U : 5U);
  }
}

TEST(Session, CountsTheBytesThatItReads) {
  const ModelConfig config = OddShape();
  const auto model = MakeRandomModel(config);
  Session session(model, {.context_length = 64, .kv_type = KvType::kF16});
  EXPECT_EQ(session.bytes_read(), 0U);
  session.Append(std::vector<Token>{1, 2, 3});
  const std::uint64_t row = config.hidden_size * 2;
  const std::uint64_t position =  // keys and values in f16
      2 * config.num_layers * config.num_kv_heads * config.head_dim * 2;
  EXPECT_EQ(session.bytes_read(),
            model->layers_bytes() + 3 * row + 3 * position);
  const std::uint64_t before = session.bytes_read();
  Sampler greedy({.temperature = 0});
  (void)session.Next(greedy);  // the head
  EXPECT_EQ(session.bytes_read(), before + config.vocab_size * row);
  (void)session.Next(greedy);  // the token before, and the head
  EXPECT_EQ(session.bytes_read(), before + model->bytes_per_token() +
                                      config.vocab_size * row + 4 * position);
}

TEST(Bandwidth, IsAPlausibleFigureForAnyNumberOfThreads) {
  BandwidthProbe probe(2);
  EXPECT_GE(probe.bytes(), 128U << 20U);
  for (const int threads : {1, 2}) {
    const double speed = probe.Measure(threads);
    EXPECT_GT(speed, 0.2) << threads;
    EXPECT_LT(speed, 5000) << threads;
  }
}

}  // namespace
}  // namespace tern
