// The measurements of `tern bench` as tables for people and as JSON.
#ifndef TERN_CLI_BENCH_REPORT_H_
#define TERN_CLI_BENCH_REPORT_H_

#include <string>
#include <vector>

#include "cli/bench_measure.h"
#include "cli/bench_options.h"
#include "cli/text.h"

namespace tern::cli {

// An array of one object a result (README.md says which members it has).
Json BenchJson(const BenchOptions& options,
               const std::vector<BenchResult>& results);

std::string BenchTable(const BenchOptions& options,
                       const std::vector<BenchResult>& results);

// The results of --compare: how many times faster and smaller ternary is than
// f16, beside what the b1.58 paper says of GPUs.
std::string CompareTable(const std::vector<BenchResult>& results);

}  // namespace tern::cli

#endif  // TERN_CLI_BENCH_REPORT_H_
