// The arithmetic of `tern bench`.
#ifndef TERN_CLI_BENCH_FIGURES_H_
#define TERN_CLI_BENCH_FIGURES_H_

#include <vector>

namespace tern::cli {

double Median(std::vector<double> values);
// The median of a[i] / b[i], which were taken one after the other: what changes
// for both at once, as a clock does, changes nothing.  As many of both, one at
// least.
double MedianRatio(const std::vector<double>& a, const std::vector<double>& b);

// Whether readings of the memory's speed are those of a machine that did not
// change: on a steady one they lie within 10 % of each other, and where the
// cores of a virtual one change their place they differ by 70 %.
bool IsSteady(const std::vector<double>& bandwidths);

// Seconds of a model of `layers_factor` times the layers that took `seconds`,
// and of a head of so many bytes.  The head is read at the full speed of memory
// (GB/s), which no kernel quite reaches: if anything, that is too little.
double WholeSeconds(double seconds, double layers_factor, double head_bytes,
                    double bandwidth);

}  // namespace tern::cli

#endif  // TERN_CLI_BENCH_FIGURES_H_
