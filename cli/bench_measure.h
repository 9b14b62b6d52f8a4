// The measurements of `tern bench`.
#ifndef TERN_CLI_BENCH_MEASURE_H_
#define TERN_CLI_BENCH_MEASURE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "cli/bench_options.h"

namespace tern::cli {

// One test of one model with one number of threads.
struct BenchResult {
  std::string model;   // the shape, or the file's name
  std::string format;  // of the linear layers: "ternary", "f16", ...
  HeadForm head = HeadForm::kAuto;
  BenchTest test;
  std::size_t depth = 0;    // tokens in the context when the test begins
  std::size_t context = 0;  // and when it ends
  int threads = 0;
  std::vector<double> samples;      // tokens a second, in order
  double bytes_read_per_token = 0;  // Session::bytes_read
  // GB/s at which these threads read memory right before and right after each
  // sample: where machines are shared, that changes from second to second.
  std::vector<double> bandwidths_before;
  std::vector<double> bandwidths;
  // Rounds that were taken again because it changed meanwhile.
  std::size_t repeated_rounds = 0;
  // How many of its layers were measured, where the samples and all that is
  // said of the model are computed from them; 0: nothing is computed.
  std::size_t computed_from_layers = 0;
  std::uint64_t weights_bytes = 0;
  std::uint64_t mapped_bytes = 0;   // of these
  std::uint64_t layers_bytes = 0;   // of these: norms and linear layers
  std::uint64_t layer_weights = 0;  // weights of the linear layers
  std::uint64_t cache_bytes = 0;    // of the session, its context full
  std::uint64_t scratch_bytes = 0;  // and its working memory beside that
  // The program as it was at the start, and what the model, one session and its
  // tests added to it at the most: as if nothing else had been measured.  0 if
  // the model was not there as a whole.
  std::uint64_t peak_rss_bytes = 0;
  double load_seconds = 0;
};

// Measures everything that is asked for: each model is loaded or made, compared
// with plain loops and run once; then the samples of all are taken in turn, the
// memory's speed before and after each.  A round, the samples of one test and
// number of threads, is taken again if that speed changed by more than 15 %
// meanwhile, up to half as many times as rounds were asked for; the last of
// them counts whatever it did. What goes on is told on stderr.  Ordered by
// test, threads, format, head.
std::vector<BenchResult> Measure(const BenchOptions& options);

}  // namespace tern::cli

#endif  // TERN_CLI_BENCH_MEASURE_H_
