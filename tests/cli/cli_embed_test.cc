// `tern embed` on the model that ships.
#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/subprocess.h"

namespace tern {
namespace {

using nlohmann::json;
using testing::ProgramResult;
using testing::ProgramRun;
using testing::RunProgram;
using Words = std::vector<std::string>;

ProgramResult Embed(Words words, ProgramRun run = {}) {
  words.insert(words.begin(), "embed");
  run.environment.emplace_back("TERN_MODEL",
                               TERN_SOURCE_DIR "/models/books-79m.gguf");
  return RunProgram(TERN_PROGRAM, words, run);
}

json EmbedJson(Words words, const ProgramRun& run = {}) {
  words.emplace_back("--json");
  const ProgramResult result = Embed(words, run);
  EXPECT_EQ(result.status, 0) << result.err;
  return json::parse(result.out);
}

double Dot(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += double{a[i]} * b[i];
  return sum;
}

TEST(Embed, JsonHasAVectorOfLengthOneForEachText) {
  for (const std::string pooling : {"last", "mean"}) {
    const json result =
        EmbedJson({"--pooling", pooling, "The sea was calm", "A ship"});
    ASSERT_EQ(result["embeddings"].size(), 2U);
    EXPECT_EQ(result["pooling"], pooling);
    EXPECT_EQ(result["dimensions"], 768);
    EXPECT_GT(result["tokens"].get<int>(), 4);
    for (const json& vector : result["embeddings"]) {
      ASSERT_EQ(vector.size(), 768U);
      EXPECT_NEAR(Dot(vector, vector), 1, 1e-5);
    }
    EXPECT_LT(Dot(result["embeddings"][0], result["embeddings"][1]), 0.9999);
  }
}

TEST(Embed, LinesOfAFileAreTextsAndThreadsChangeNothing) {
  const json words = EmbedJson({"-t", "1", "one", "two words", "three"});
  ProgramRun run;
  run.input = "one\r\ntwo words\nthree";
  EXPECT_EQ(EmbedJson({"-t", "2"}, run), words);
  EXPECT_EQ(EmbedJson({"-t", "3", "-f", "-"}, run), words);
}

TEST(Embed, PlainTextIsALineAText) {
  const ProgramResult result = Embed({"one", "two"});
  ASSERT_EQ(result.status, 0) << result.err;
  const json want = EmbedJson({"one", "two"});
  std::istringstream lines(result.out);
  std::string line;
  for (const json& vector : want["embeddings"]) {
    ASSERT_TRUE(std::getline(lines, line));
    std::istringstream numbers(line);
    for (const json& value : vector) {
      double number = 0;
      ASSERT_TRUE(numbers >> number);
      EXPECT_NEAR(number, value.get<double>(), 1e-9);
    }
    EXPECT_FALSE(numbers >> line);
  }
  EXPECT_FALSE(std::getline(lines, line));
}

TEST(Embed, WhatMakesNoSenseIsNamed) {
  const auto expect = [](const ProgramResult& result, int status,
                         const std::string& part) {
    EXPECT_EQ(result.status, status) << result.err;
    EXPECT_EQ(result.out, "");
    EXPECT_NE(result.err.find(part), std::string::npos) << result.err;
  };
  expect(Embed({"--pooling", "max", "a"}), 2, "--pooling");
  expect(Embed({"-f", "x", "a"}), 2, "--file");
  expect(Embed({"-c", "2", "a text of more tokens than that"}), 1, "text 1");
  expect(Embed({"-f", "/nowhere/texts"}), 1, "/nowhere/texts");
}

}  // namespace
}  // namespace tern
