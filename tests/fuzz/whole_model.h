// Everything that tern does with a model's files: inspect, load, run, pack.
#ifndef TERN_TESTS_FUZZ_WHOLE_MODEL_H_
#define TERN_TESTS_FUZZ_WHOLE_MODEL_H_

#include <cmath>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include <tern/chat.h>
#include <tern/inspect.h>
#include <tern/model.h>
#include <tern/pack.h>
#include <tern/session.h>

#include "runtime/checkpoint/checkpoint.h"
#include "tests/fuzz/accepts.h"
#include "tests/fuzz/files.h"
#include "tests/fuzz/fuzz.h"

namespace tern::fuzz {

// Logits after a few tokens, given to the session in pieces of `piece`; nothing
// if the model makes numbers that a session refuses.
inline std::optional<std::vector<float>> LogitsOf(
    const std::shared_ptr<const Model>& model, std::size_t piece) {
  std::vector<float> logits;
  const bool ran = Accepts([&] {
    Session session(model, {.context_length = std::min<std::size_t>(
                                8, model->config().max_context),
                            .num_threads = 1});
    const auto vocab = static_cast<Token>(model->config().vocab_size);
    std::vector<Token> tokens = {0, vocab - 1, 1 % vocab, vocab / 2, 0};
    tokens.resize(std::min(tokens.size(), session.context_length()));
    for (std::span<const Token> rest = tokens; !rest.empty();) {
      const std::size_t count = std::min(piece, rest.size());
      session.Append(rest.first(count));
      rest = rest.subspan(count);
    }
    const auto last = session.Logits();
    logits.assign(last.begin(), last.end());
  });
  if (!ran) return std::nullopt;
  return logits;
}

// Bit for bit, but any NaN equals any other.
inline bool SameFloats(std::span<const float> a, std::span<const float> b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (std::isnan(a[i]) && std::isnan(b[i])) continue;
    if (std::memcmp(&a[i], &b[i], sizeof(float)) != 0) return false;
  }
  return true;
}

inline bool AllFinite(const std::vector<float>& values) {
  return std::all_of(values.begin(), values.end(),
                     [](float value) { return std::isfinite(value); });
}

// Packing changes neither codes nor multipliers, so not the logits either.
// (Master weights are ternarised by one and the same rule.)
inline void CheckPack(const std::filesystem::path& path, PackedType type,
                      const std::vector<float>& logits) {
  const std::filesystem::path packed =
      Directory() /
      (type == PackedType::kHuggingFace ? "packed" : "packed.gguf");
  if (!Accepts(
          [&] { Pack(path, packed, {.type = type, .overwrite = true}); })) {
    return;
  }
  std::shared_ptr<const Model> model;
  Check(Accepts([&] { model = Model::Load(packed, {.num_threads = 1}); }),
        "what Pack wrote cannot be loaded");
  const auto after = LogitsOf(model, 3);
  Check(after && SameFloats(*after, logits), "Pack changed the logits");
}

// Weights that are used where they lie are the same weights.  (A file with
// nothing to map is refused.)
inline void CheckMapped(const std::filesystem::path& path,
                        const std::vector<float>& logits) {
  std::shared_ptr<const Model> model;
  if (!Accepts([&] {
        model = Model::Load(path, {.map = true, .num_threads = 1});
      })) {
    return;
  }
  const auto mapped = LogitsOf(model, 3);
  Check(mapped && SameFloats(*mapped, logits), "mapping changed the logits");
}

inline void RunModel(const std::filesystem::path& path) {
  std::optional<ModelReport> report;
  Accepts([&] { report = Inspect(path); });
  Accepts([&] { (void)ChatTemplate::Load(path); });
  // Model::Load tests the CPU before it looks at the file.
  if (!Accepts([&] { (void)checkpoint::Open(path); })) {
    Check(!report || !report->problems.empty(),
          "Inspect finds nothing wrong with a file that cannot be opened");
    return;
  }
  std::shared_ptr<const Model> model;
  if (!Accepts([&] { model = Model::Load(path, {.num_threads = 1}); })) {
    Check(!report || !report->problems.empty(),
          "Inspect finds nothing wrong with a file that cannot be loaded");
    return;
  }
  Check(report.has_value(), "Inspect refuses a file that can be loaded");
  const auto logits = LogitsOf(model, 3);
  if (!logits || !AllFinite(*logits)) return;
  if (model->linear_type() == "ternary") {
    const auto one_by_one = LogitsOf(model, 1);
    Check(one_by_one && SameFloats(*one_by_one, *logits),
          "the logits depend on how the tokens were split");
  }
  CheckMapped(path, *logits);
  for (const auto type : {PackedType::kT2, PackedType::kI2S, PackedType::kTQ2_0,
                          PackedType::kTQ1_0, PackedType::kQ2_0,
                          PackedType::kHuggingFace, PackedType::kKeep}) {
    CheckPack(path, type, *logits);
  }
}

}  // namespace tern::fuzz

#endif  // TERN_TESTS_FUZZ_WHOLE_MODEL_H_
