// `tern bench`: the members that scripts read, figures that agree with each
// other, and what it refuses.
#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "cli/bench_figures.h"
#include "cli/bench_report.h"
#include "cli/peak_memory.h"
#include "tests/support/subprocess.h"

namespace tern {
namespace {

using cli::BenchOptions;
using cli::BenchResult;
using nlohmann::json;
using testing::ProgramResult;
using testing::RunProgram;
using Words = std::vector<std::string>;

const char* const kModel = TERN_SOURCE_DIR "/models/books-79m.gguf";

ProgramResult Bench(Words words) {
  words.insert(words.begin(), "bench");
  return RunProgram(TERN_PROGRAM, words,
                    {.environment = {{"TERN_MODEL", kModel}}});
}

bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

void ExpectError(const Words& words, int status, const std::string& part) {
  const ProgramResult result = Bench(words);
  EXPECT_EQ(result.status, status) << result.err;
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(result.err.substr(0, 6), "tern: ") << result.err;
  EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1)
      << result.err;
  EXPECT_TRUE(Contains(result.err, part)) << result.err;
}

TEST(Bench, JsonHasWhatTheContractNamesForEveryTestAndNumberOfThreads) {
  const ProgramResult run = Bench({"-p", "8,16", "-n", "4", "-t", "2,1",
                                   "--depth", "3", "-r", "3", "--json"});
  ASSERT_EQ(run.status, 0) << run.err;
  const json results = json::parse(run.out);
  ASSERT_EQ(results.size(), 6U);
  std::vector<std::pair<std::string, int>> seen;
  for (const json& r : results) {
    EXPECT_EQ(r["model"], "books-79m.gguf");
    EXPECT_EQ(r["format"], "ternary");
    EXPECT_EQ(r["kv"], "f16");
    EXPECT_EQ(r["head"], "auto");
    EXPECT_EQ(r["depth"], 3);
    seen.emplace_back(r["test"], r["threads"]);
    std::vector<double> samples = r["samples"];
    const std::vector<double> bandwidths = r["bandwidths"];
    ASSERT_EQ(samples.size(), 3U);
    ASSERT_EQ(bandwidths.size(), 3U);
    ASSERT_EQ(r["bandwidths_before"].size(), 3U);
    // Half of three rounds may be taken again.
    EXPECT_LE(r["repeated_rounds"], 1);
    const double share = cli::MedianRatio(samples, bandwidths);
    std::sort(samples.begin(), samples.end());
    EXPECT_GT(samples[0], 0);
    EXPECT_EQ(r["tokens_per_second"], samples[1]);
    EXPECT_GT(r["read_bandwidth_gb_s"], 0.1);
    EXPECT_EQ(r["read_bandwidth_gb_s"], cli::Median(bandwidths));
    const double expected =
        share * r["bytes_read_per_token"].get<double>() / 1e7;
    EXPECT_NEAR(r["percent_of_bandwidth"], expected, 1e-6 * expected);
    EXPECT_GT(r["weights_bytes"], 20'000'000);
    // 12 layers of 768: q and o, k and v of a third, three of 2048.
    const std::uint64_t weights = 12ULL * 768 * (2 * 768 + 2 * 256 + 3 * 2048);
    EXPECT_EQ(r["layer_weights"], weights);
    EXPECT_GT(r["layers_bytes"], weights / 4);
    EXPECT_LT(r["layers_bytes"], weights / 4 + 1'000'000);
    // Keys and values of 3 + 16 + 1 positions in f16, in blocks.
    EXPECT_GT(r["cache_bytes"], 20 * 12 * 2 * 256 * 2 - 1);
    EXPECT_LT(r["cache_bytes"], 128 * 12 * 2 * 256 * 2 + 1);
    EXPECT_GT(r["scratch_bytes"], 4096 * 4);
    EXPECT_LT(r["scratch_bytes"].get<std::uint64_t>() +
                  r["weights_bytes"].get<std::uint64_t>(),
              r["peak_rss_bytes"].get<std::uint64_t>() + 20'000'000);
    const std::string test = r["test"];
    EXPECT_EQ(r.contains("seconds_to_first_token"), test[0] == 'p');
    if (test[0] == 'p') {
      EXPECT_NEAR(r["seconds_to_first_token"],
                  std::stod(test.substr(2)) / samples[1], 1e-9);
    }
    EXPECT_GT(r["peak_rss_bytes"], r["weights_bytes"]);
    // And not the probe's buffer, which has at least 128 MiB.
    EXPECT_LT(r["peak_rss_bytes"].get<std::uint64_t>(),
              r["weights_bytes"].get<std::uint64_t>() + 100'000'000);
    EXPECT_GT(r["load_seconds"], 0);
    EXPECT_FALSE(r["target"].get<std::string>().empty());
    EXPECT_FALSE(r.contains("times_f16"));
    EXPECT_FALSE(r.contains("computed_from_layers"));
  }
  EXPECT_EQ(seen, (std::vector<std::pair<std::string, int>>{{"pp8", 2},
                                                            {"pp8", 1},
                                                            {"pp16", 2},
                                                            {"pp16", 1},
                                                            {"tg4", 2},
                                                            {"tg4", 1}}));
  // A prompt reads the weights once for all of its tokens.
  EXPECT_LT(results[0]["bytes_read_per_token"],
            results[4]["bytes_read_per_token"]);
  EXPECT_GT(results[4]["bytes_read_per_token"], 20'000'000);
  EXPECT_EQ(results[0]["context"], 11);
  EXPECT_EQ(results[4]["context"], 7);
}

TEST(Bench, AShapeIsCheckedAndMeasuredInATable) {
  const ProgramResult run = Bench(
      {"--shape", "bitnet-700m", "-p", "4", "-n", "2", "-r", "3", "-t", "2"});
  ASSERT_EQ(run.status, 0) << run.err;
  EXPECT_TRUE(Contains(run.out, "\nbitnet-700m  ternary  auto  pp4 "))
      << run.out;
  EXPECT_TRUE(Contains(run.out, "\nbitnet-700m  ternary  auto  tg2 "))
      << run.out;
  EXPECT_TRUE(Contains(run.err, "are those of plain loops")) << run.err;
}

TEST(Bench, F16OfSomeLayersIsComputedForAllAndSaysSo) {
  const ProgramResult run =
      Bench({"--shape", "bitnet-700m", "--compare", "--f16-layers", "2", "-p",
             "4", "-n", "2", "-r", "3", "-t", "2", "--json"});
  ASSERT_EQ(run.status, 0) << run.err;
  const json results = json::parse(run.out);
  ASSERT_EQ(results.size(), 4U);
  for (std::size_t i = 0; i < 4; i += 2) {
    const json& ternary = results[i];
    const json& f16 = results[i + 1];
    ASSERT_EQ(f16["format"], "f16");
    EXPECT_FALSE(ternary.contains("computed_from_layers"));
    EXPECT_EQ(f16["computed_from_layers"], 2);
    EXPECT_EQ(f16["layer_weights"], ternary["layer_weights"]);
    const auto weights = f16["layer_weights"].get<double>();
    EXPECT_NEAR(f16["layers_bytes"], 2 * weights, 0.01 * weights);
    const double head = 32002.0 * 1536 * 2;
    EXPECT_NEAR(f16["weights_bytes"], 2 * weights + head, 0.01 * weights);
    EXPECT_NEAR(f16["bytes_read_per_token"],
                (2 * weights + head) / (i == 0 ? 4 : 1), 0.02 * weights);
    EXPECT_EQ(f16["cache_bytes"], ternary["cache_bytes"]);
    EXPECT_TRUE(f16["peak_rss_bytes"].is_null());
    EXPECT_TRUE(ternary["times_f16"]["peak_rss"].is_null());
    EXPECT_GT(ternary["times_f16"]["weights"], 5);
    EXPECT_EQ(ternary["bandwidths"], f16["bandwidths_before"]);
    EXPECT_EQ(ternary["repeated_rounds"], f16["repeated_rounds"]);
  }
  // Two layers that pass for all 24 would have 1200 %.
  EXPECT_LT(results[3]["percent_of_bandwidth"], 400);
}

TEST(Bench, TheWholeIsItsLayersAndAHeadReadAtFullSpeed) {
  EXPECT_DOUBLE_EQ(cli::WholeSeconds(0.02, 40, 3e9, 30), 0.8 + 0.1);
  EXPECT_DOUBLE_EQ(cli::WholeSeconds(0.02, 1, 0, 30), 0.02);
}

TEST(Bench, AMachineThatChangesItsMemorysSpeedIsNotSteady) {
  EXPECT_TRUE(cli::IsSteady({34, 33, 36}));
  EXPECT_TRUE(cli::IsSteady({60}));
  EXPECT_FALSE(cli::IsSteady({34, 60, 34}));
  EXPECT_FALSE(cli::IsSteady({34, 34, 40}));
}

TEST(Bench, WrongUsageIsNamed) {
  const std::vector<std::pair<Words, std::string>> bad = {
      {{"--shape", "bitnet-4b"}, "--shape: shape 'bitnet-4b'"},
      {{"--shape", "bitnet-3b", "--i2s-layout", "b"}, "--i2s-layout:"},
      {{"--shape", "bitnet-3b", "--format", "f16", "--activations", "int8"},
       "--activations:"},
      {{"--shape", "bitnet-3b", "-m", "x"}, "--shape:"},
      {{"--format", "f16"}, "--format: needs --shape"},
      {{"--compare"}, "--compare: needs --shape"},
      {{"--shape", "bitnet-3b", "--format", "f16,f16"}, "--format:"},
      {{"--shape", "bitnet-3b", "--format", "bf16"}, "'bf16'"},
      {{"--shape", "bitnet-3b", "--format", "f16", "--compare"}, "--format:"},
      {{"--shape", "bitnet-3b", "--f16-layers", "1"}, "needs --compare"},
      {{"--shape", "bitnet-3b", "--compare", "--f16-layers", "26"},
       "has 26 layers"},
      {{"--shape", "bitnet-3b", "--compare", "--f16-layers", "0"},
       "--f16-layers: '0'"},
      {{"--shape", "bitnet-3b", "--compare", "--f16-layers", "1", "--head",
        "q8"},
       "--head:"},
      {{"-p", "x"}, "--prompt: 'x'"},
      {{"-p", "1,,2"}, "--prompt: ''"},
      {{"-p", "2,2"}, "--prompt: '2,2'"},
      {{"-p", "0", "-n", "0"}, "both are 0"},
      {{"-n", "-1"}, "--generate: '-1'"},
      {{"-t", "0"}, "--threads: '0'"},
      {{"-t", "1,1"}, "--threads:"},
      {{"-r", "2"}, "--repetitions: '2'"},
      {{"--depth", "-1"}, "--depth: '-1'"},
      {{"--target", "MMX"}, "--target: 'MMX'"},
      {{"--kv", "q4"}, "--kv: 'q4'"},
      {{"--shape", "bitnet-700m", "--depth", "200000"}, "200513 positions"}};
  for (const auto& [words, part] : bad) ExpectError(words, 2, part);
}

TEST(Bench, AModelThatIsNotThereIsNamed) {
  ExpectError({"-m", "/no/such/model"}, 1, "/no/such/model");
}

// AddressSanitizer and ThreadSanitizer cannot live under a limit of addresses.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST(Bench, WhatDoesNotFitIntoMemoryIsRefusedBeforeAnyWork) {
  const ProgramResult run = RunProgram(
      "/bin/sh",
      {"-c", "ulimit -v 8000000 && exec \"$0\" bench --shape 70b --compare",
       TERN_PROGRAM});
  EXPECT_EQ(run.status, 1) << run.err;
  EXPECT_TRUE(Contains(run.err, "random weights of shape 70b, f16: needs "))
      << run.err;
  EXPECT_EQ(std::count(run.err.begin(), run.err.end(), '\n'), 1) << run.err;
}
#endif

BenchResult Result(const std::string& format, const cli::BenchTest& test,
                   double speed) {
  BenchResult result;
  result.model = "bitnet-3b";
  result.format = format;
  result.test = test;
  result.threads = 2;
  result.samples = {speed * 3, speed, speed / 2};
  result.bytes_read_per_token = 1e9;
  result.bandwidths = {60, 20, 10};
  result.weights_bytes = format == "f16" ? 6'000'000'000U : 1'000'000'000U;
  result.peak_rss_bytes = format == "f16" ? 7'000'000'000U : 2'000'000'000U;
  return result;
}

TEST(Bench, ComparisonDividesSamplesOfTheSameTestThatAreNeighbours) {
  BenchOptions options;
  options.compare = true;
  options.repetitions = 3;
  const cli::BenchTest prefill{false, 512};
  const cli::BenchTest decode{true, 128};
  const std::vector<BenchResult> results = {
      Result("ternary", prefill, 100), Result("f16", prefill, 20),
      Result("ternary", decode, 12), Result("f16", decode, 4)};
  const cli::Json array = cli::BenchJson(options, results);
  EXPECT_EQ(array[0]["tokens_per_second"], 100.0);
  EXPECT_EQ(array[0]["percent_of_bandwidth"], 500.0);
  EXPECT_EQ(array[0]["times_f16"]["speed"], 5.0);
  EXPECT_TRUE(array[0]["times_f16"]["paper_speed"].is_null());
  EXPECT_EQ(array[2]["times_f16"]["speed"], 3.0);
  EXPECT_EQ(array[2]["times_f16"]["weights"], 6.0);
  EXPECT_EQ(array[2]["times_f16"]["peak_rss"], 3.5);
  EXPECT_EQ(array[2]["times_f16"]["paper_speed"], 2.71);
  EXPECT_EQ(array[2]["times_f16"]["paper_memory"], 3.55);
  EXPECT_FALSE(array[1].contains("times_f16"));
  const std::string table = cli::CompareTable(results);
  EXPECT_TRUE(Contains(table, "3.00x  2.71x")) << table;
  EXPECT_TRUE(Contains(table, "3.50x  3.55x")) << table;
  EXPECT_FALSE(Contains(table, "LLaMA 3B")) << table;
  EXPECT_FALSE(Contains(table, "computed")) << table;
  EXPECT_EQ(cli::Median({4, 1, 3, 2}), 2.5);
  // The machine was half as fast in the middle: of the medians, 60 and 15, it
  // would be 4.
  EXPECT_EQ(cli::MedianRatio({60, 30, 63}, {15, 6, 21}), 4.0);
  EXPECT_EQ(cli::MedianRatio({100, 50, 60}, {20, 10, 20}), 5.0);
}

TEST(Bench, ComputedF16HasNoPeakMemoryInTheTable) {
  BenchResult f16 = Result("f16", {true, 128}, 4);
  f16.computed_from_layers = 3;
  f16.peak_rss_bytes = 0;
  const std::vector<BenchResult> results = {Result("ternary", {true, 128}, 12),
                                            f16};
  const std::string table = cli::CompareTable(results);
  EXPECT_TRUE(Contains(table, "3.00x")) << table;
  EXPECT_FALSE(Contains(table, "peak memory")) << table;
  EXPECT_TRUE(Contains(table,
                       "f16: computed from layers measured in turn "
                       "with ternary: 3)"))
      << table;
}

TEST(PeakMemory, CountsWhatCameAndWentAgain) {
  const bool sets_back =
      (std::ofstream("/proc/self/clear_refs") << "5" << std::flush).good();
  const cli::PeakMemory before;
  {
    const std::vector<char> big(std::size_t{64} << 20U, 1);
    EXPECT_EQ(big.back(), 1);
  }
  EXPECT_GT(before.Growth(), std::uint64_t{60} << 20U);
  if (!sets_back) return;  // peaks from before count too
  EXPECT_LT(before.Growth(), std::uint64_t{80} << 20U);
  const cli::PeakMemory after;
  EXPECT_LT(after.Growth(), std::uint64_t{8} << 20U);
}

}  // namespace
}  // namespace tern
