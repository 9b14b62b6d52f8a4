// `tern bench`: how fast a model, or a shape of one, runs on this machine.
#include <vector>

#include "cli/bench_measure.h"
#include "cli/bench_options.h"
#include "cli/bench_report.h"
#include "cli/commands.h"
#include "cli/errors.h"
#include "cli/io.h"
#include "cli/text.h"

namespace tern::cli {

int Bench(const Arguments& arguments) {
  BenchOptions options;
  if (!ParseBenchOptions(arguments, &options)) return kDone;
  const std::vector<BenchResult> results = Measure(options);
  if (options.json) {
    WriteResult(DumpJson(BenchJson(options, results)));
    return kDone;
  }
  WriteResult(BenchTable(options, results));
  if (options.compare) WriteResult("\n" + CompareTable(results));
  return kDone;
}

}  // namespace tern::cli
