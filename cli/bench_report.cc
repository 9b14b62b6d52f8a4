#include "cli/bench_report.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <utility>

#include <tern/cpu.h>

#include "cli/bench_figures.h"

namespace tern::cli {
namespace {

const char* KvName(KvType type) {
  switch (type) {
    case KvType::kF32:
      return "f32";
    case KvType::kF16:
      return "f16";
    case KvType::kQ8:
      return "q8";
  }
  return "?";
}

const char* HeadName(HeadForm head) {
  switch (head) {
    case HeadForm::kAuto:
      return "auto";
    case HeadForm::kAsStored:
      return "f16";
    case HeadForm::kQ8:
      return "q8";
    case HeadForm::kScreened:
      return "screened";
  }
  return "?";
}

// Weights and cache that a second of the test reads, in 10^9 bytes.
double GigabytesPerSecond(const BenchResult& result) {
  return Median(result.samples) * result.bytes_read_per_token / 1e9;
}

double PercentOfBandwidth(const BenchResult& result) {
  return MedianRatio(result.samples, result.bandwidths) *
         result.bytes_read_per_token / 1e9 * 100;
}

// How many times faster and smaller b1.58 is than f16 LLaMA of the same size:
// table 1 of arXiv 2402.17764, and figure 2 for 13B and 70B, on GPUs.  There is
// no LLaMA of 3.9B in it: that row is against the one of 3B.
struct PaperRatios {
  const char* shape;
  double speed;
  double memory;
};
constexpr std::array kPaper = {PaperRatios{"bitnet-700m", 1.23, 2.60},
                               PaperRatios{"bitnet-1.3b", 1.67, 2.93},
                               PaperRatios{"bitnet-3b", 2.71, 3.55},
                               PaperRatios{"bitnet-3.9b", 2.40, 3.32},
                               PaperRatios{"13b", 3.68, 5.12},
                               PaperRatios{"70b", 4.10, 7.16}};

const PaperRatios* FindPaper(const std::string& shape) {
  const auto* found =
      std::find_if(kPaper.begin(), kPaper.end(),
                   [&](const PaperRatios& row) { return shape == row.shape; });
  return found == kPaper.end() ? nullptr : found;
}

// The f16 result of the same head, test and threads; nullptr if there is none.
const BenchResult* FindF16(const BenchResult& result,
                           const std::vector<BenchResult>& results) {
  for (const BenchResult& other : results) {
    if (other.format == "f16" && other.head == result.head &&
        other.test.Name() == result.test.Name() &&
        other.threads == result.threads) {
      return &other;
    }
  }
  return nullptr;
}

double Ratio(std::uint64_t a, std::uint64_t b) {
  return static_cast<double>(a) / static_cast<double>(b);
}

Json Comparison(const BenchResult& ternary, const BenchResult& f16) {
  Json json = {{"speed", MedianRatio(ternary.samples, f16.samples)},
               {"weights", Ratio(f16.weights_bytes, ternary.weights_bytes)},
               {"peak_rss", nullptr},
               {"paper_speed", nullptr},
               {"paper_memory", nullptr}};
  if (f16.peak_rss_bytes != 0) {
    json["peak_rss"] = Ratio(f16.peak_rss_bytes, ternary.peak_rss_bytes);
  }
  // The paper's latency is that of decoding.
  if (const PaperRatios* paper = FindPaper(ternary.model)) {
    if (ternary.test.decodes) json["paper_speed"] = paper->speed;
    json["paper_memory"] = paper->memory;
  }
  return json;
}

// Columns as wide as their widest cell, the first ones to the left.
std::string Aligned(const std::vector<std::vector<std::string>>& rows,
                    std::size_t left_columns) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], row[i].size());
    }
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string space(widths[i] - row[i].size(), ' ');
      line += i == 0 ? "" : "  ";
      line += i < left_columns ? row[i] + space : space + row[i];
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

std::string BandwidthText(const std::vector<BenchResult>& results) {
  std::map<int, std::vector<double>> by_threads;
  for (const BenchResult& result : results) {
    std::vector<double>& all = by_threads[result.threads];
    all.insert(all.end(), result.bandwidths.begin(), result.bandwidths.end());
  }
  std::string text;
  for (const auto& [threads, all] : by_threads) {
    text += (text.empty() ? "" : ", ") + Fixed(Median(all), 1) + " GB/s (" +
            std::to_string(threads) + (threads == 1 ? " thread)" : " threads)");
  }
  return text;
}

}  // namespace

Json BenchJson(const BenchOptions& options,
               const std::vector<BenchResult>& results) {
  Json array = Json::array();
  for (const BenchResult& result : results) {
    Json json = {{"model", result.model},
                 {"format", result.format},
                 {"test", result.test.Name()},
                 {"threads", result.threads},
                 {"tokens_per_second", Median(result.samples)},
                 {"samples", result.samples},
                 {"bytes_read_per_token", result.bytes_read_per_token},
                 {"read_bandwidth_gb_s", Median(result.bandwidths)},
                 {"bandwidths_before", result.bandwidths_before},
                 {"bandwidths", result.bandwidths},
                 {"repeated_rounds", result.repeated_rounds},
                 {"percent_of_bandwidth", PercentOfBandwidth(result)},
                 {"weights_bytes", result.weights_bytes},
                 {"mapped_bytes", result.mapped_bytes},
                 {"layers_bytes", result.layers_bytes},
                 {"layer_weights", result.layer_weights},
                 {"cache_bytes", result.cache_bytes},
                 {"scratch_bytes", result.scratch_bytes},
                 {"peak_rss_bytes", nullptr},
                 {"load_seconds", result.load_seconds},
                 {"target", ActiveTarget()},
                 {"depth", result.depth},
                 {"context", result.context},
                 {"kv", KvName(options.kv_type)},
                 {"head", HeadName(result.head)}};
    if (result.computed_from_layers == 0) {
      json["peak_rss_bytes"] = result.peak_rss_bytes;
    } else {
      json["computed_from_layers"] = result.computed_from_layers;
    }
    if (!result.test.decodes) {
      json["seconds_to_first_token"] =
          static_cast<double>(result.test.tokens) / Median(result.samples);
    }
    const BenchResult* f16 = FindF16(result, results);
    if (options.compare && result.format == "ternary" && f16 != nullptr) {
      json["times_f16"] = Comparison(result, *f16);
    }
    array.push_back(std::move(json));
  }
  return array;
}

std::string BenchTable(const BenchOptions& options,
                       const std::vector<BenchResult>& results) {
  std::vector<std::vector<std::string>> rows = {
      {"model", "format", "head", "test", "context", "threads", "tokens/s",
       "min", "max", "MB/token", "GB/s", "of memory", "weights",
       "peak memory"}};
  for (const BenchResult& result : results) {
    const auto [least, most] =
        std::minmax_element(result.samples.begin(), result.samples.end());
    const std::size_t start = options.Start(result.test);
    rows.push_back(
        {result.model, result.format, HeadName(result.head), result.test.Name(),
         std::to_string(start) + ".." + std::to_string(result.context),
         std::to_string(result.threads), Fixed(Median(result.samples), 2),
         Fixed(*least, 2), Fixed(*most, 2),
         Fixed(result.bytes_read_per_token / 1e6, 1),
         Fixed(GigabytesPerSecond(result), 2),
         Fixed(PercentOfBandwidth(result), 1) + " %",
         HumanBytes(result.weights_bytes),
         result.computed_from_layers == 0 ? HumanBytes(result.peak_rss_bytes)
                                          : "computed"});
  }
  return "target " + ActiveTarget() + ", " + KvName(options.kv_type) +
         " cache, medians of " + std::to_string(options.repetitions) +
         " samples taken in turn; memory was read at " +
         BandwidthText(results) + "\n\n" + Aligned(rows, 4);
}

std::string CompareTable(const std::vector<BenchResult>& results) {
  std::vector<std::vector<std::string>> rows = {
      {"ternary beside f16", "ternary", "f16", "ratio", "paper"}};
  const auto add = [&rows](const std::string& what, const std::string& ternary,
                           const std::string& f16, const Json& ratio,
                           const Json& paper) {
    rows.push_back(
        {what, ternary, f16, Fixed(ratio.get<double>(), 2) + "x",
         paper.is_null() ? "" : Fixed(paper.get<double>(), 2) + "x"});
  };
  for (const BenchResult& result : results) {
    const BenchResult* f16 = FindF16(result, results);
    if (result.format != "ternary" || f16 == nullptr) continue;
    const Json ratios = Comparison(result, *f16);
    const std::string what =
        result.test.Name() + ", " + std::to_string(result.threads) +
        (result.threads == 1 ? " thread" : " threads") +
        (result.head == HeadForm::kAuto
             ? ""
             : std::string(", head ") + HeadName(result.head));
    add(what + ", tokens/s", Fixed(Median(result.samples), 2),
        Fixed(Median(f16->samples), 2), ratios["speed"], ratios["paper_speed"]);
    if (&result != &results.front()) continue;
    add("weights", HumanBytes(result.weights_bytes),
        HumanBytes(f16->weights_bytes), ratios["weights"], nullptr);
    if (f16->computed_from_layers != 0) continue;
    add("peak memory", HumanBytes(result.peak_rss_bytes),
        HumanBytes(f16->peak_rss_bytes), ratios["peak_rss"],
        ratios["paper_memory"]);
  }
  std::string text = Aligned(rows, 1) +
                     "(paper: arXiv 2402.17764, table 1 and figure 2: latency "
                     "of decoding and memory on GPUs)\n";
  for (const BenchResult& result : results) {
    if (result.computed_from_layers == 0) continue;
    text += "(f16: computed from layers measured in turn with ternary: " +
            std::to_string(result.computed_from_layers) + ")\n";
    break;
  }
  if (!results.empty() && results.front().model == "bitnet-3.9b") {
    text += "(bitnet-3.9b: the paper compares it with LLaMA 3B)\n";
  }
  return text;
}

}  // namespace tern::cli
