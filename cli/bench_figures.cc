#include "cli/bench_figures.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace tern::cli {

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half]
                                : (values[half - 1] + values[half]) / 2;
}

double MedianRatio(const std::vector<double>& a, const std::vector<double>& b) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < a.size(); ++i) ratios.push_back(a[i] / b[i]);
  return Median(std::move(ratios));
}

bool IsSteady(const std::vector<double>& bandwidths) {
  constexpr double kSteady = 1.15;
  const auto [least, most] =
      std::minmax_element(bandwidths.begin(), bandwidths.end());
  return *most <= kSteady * *least;
}

double WholeSeconds(double seconds, double layers_factor, double head_bytes,
                    double bandwidth) {
  return seconds * layers_factor + head_bytes / 1e9 / bandwidth;
}

}  // namespace tern::cli
