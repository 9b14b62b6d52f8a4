// What `tern bench` is asked to measure.
#ifndef TERN_CLI_BENCH_OPTIONS_H_
#define TERN_CLI_BENCH_OPTIONS_H_

#include <cstddef>
#include <string>
#include <vector>

#include <tern/model.h>
#include <tern/random_model.h>
#include <tern/session.h>

#include "cli/options.h"

namespace tern::cli {

// pp512: 512 tokens are read at once, and the logits after the last one.
// tg128: 128 tokens are generated one after another.
struct BenchTest {
  bool decodes = false;
  std::size_t tokens = 0;

  [[nodiscard]] std::string Name() const {
    return (decodes ? "tg" : "pp") + std::to_string(tokens);
  }
};

struct BenchOptions {
  std::string model;  // -m
  std::string shape;  // --shape; empty: the model
  std::vector<WeightFormat> formats = {WeightFormat::kTernary};
  std::vector<BenchTest> tests;
  std::vector<int> threads;
  std::size_t depth = 0;  // tokens in the context before a test
  std::size_t repetitions = 5;
  KvType kv_type = KvType::kF16;
  std::vector<HeadForm> heads = {HeadForm::kAuto};
  FormatOptions format;  // of -m
  FileOptions file;      // of -m
  std::string target;
  bool compare = false;
  // Of the f16 side of a comparison, where what all layers and the head take
  // is computed from them; 0: all, and nothing is computed.
  std::size_t f16_layers = 0;
  bool json = false;

  // Positions that the test at hand uses: it begins after `depth` tokens, or
  // after one where there must be one to go on from.
  [[nodiscard]] std::size_t Start(const BenchTest& test) const {
    return test.decodes && depth == 0 ? 1 : depth;
  }
  // Positions of the longest test, and one for a token that is chosen last.
  [[nodiscard]] std::size_t ContextLength() const;
};

// False if --help was asked for, which is then printed.  Throws UsageError.
bool ParseBenchOptions(const Arguments& arguments, BenchOptions* options);

// Throws UsageError if the tests are longer than the model allows.
void CheckBenchContext(const BenchOptions& options, const ModelConfig& config);

}  // namespace tern::cli

#endif  // TERN_CLI_BENCH_OPTIONS_H_
