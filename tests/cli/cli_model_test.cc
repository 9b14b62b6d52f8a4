// The program on the model that ships: what it prints, and that its commands
// agree with each other.
#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/subprocess.h"

namespace tern {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::ProgramResult;
using testing::ProgramRun;
using testing::RunProgram;
using Words = std::vector<std::string>;

const char* const kModel = TERN_SOURCE_DIR "/models/books-79m.gguf";
const char* const kPrompt = "Once upon a time there was a little";
// By the reference tokenizer.
const std::vector<int> kPromptIds = {4093, 46,  1483, 546, 258,
                                     550,  470, 307,  258, 548};
constexpr const char* kPromptIdsText =
    "4093,46,1483,546,258,550,470,307,258,548";
constexpr std::size_t kVocabulary = 4096;

ProgramResult Tern(Words words, ProgramRun run = {}) {
  run.environment.emplace_back("TERN_MODEL", kModel);
  return RunProgram(TERN_PROGRAM, words, run);
}

// The one JSON document that a command prints.
json TernJson(Words words, const ProgramRun& run = {}) {
  words.emplace_back("--json");
  const ProgramResult result = Tern(words, run);
  EXPECT_EQ(result.status, 0) << result.err;
  return json::parse(result.out);
}

bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// A folder that goes away with the test.
class Folder {
 public:
  Folder()
      : path_(fs::temp_directory_path() /
              ("tern_model_test_" + std::to_string(getpid()))) {
    fs::create_directories(path_);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { fs::remove_all(path_); }
  [[nodiscard]] std::string File(const std::string& name) const {
    return (path_ / name).string();
  }
  [[nodiscard]] std::size_t Count() const {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(path_), fs::directory_iterator()));
  }

 private:
  fs::path path_;
};

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<float> Floats(const std::string& bytes) {
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
  return values;
}

Words Greedy(const std::string& tokens) {
  return {"run", "-p", kPrompt, "--temp", "0", "-n", tokens};
}

Words operator+(Words words, const Words& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

TEST(Run, PrintsThePromptThenItsContinuation) {
  const ProgramResult result = Tern(Greedy("12"));
  const std::string text = TernJson(Greedy("12"))["text"];
  EXPECT_EQ(result.status, 0);
  EXPECT_FALSE(text.empty());
  EXPECT_EQ(result.out, kPrompt + text + "\n");
  EXPECT_EQ(Tern(Greedy("12") + Words{"--no-echo"}).out, text + "\n");
}

TEST(Run, TellsModelAndTimingsOnStderr) {
  const ProgramResult result = Tern(Greedy("4") + Words{"--seed", "77"});
  for (const char* part :
       {"books-79m.gguf: ", "GGUF v3, I2_S: bitnet-b1.58", "squared ReLU",
        "ternary weights, activations int8 per token", "q8_0 tied head",
        "pre-tokenizer llama-bpe", "chat template: the file's own", "load ",
        "prefill ", "decode ", "tokens/s", "GB/s", "peak memory ", "seed 77"}) {
    EXPECT_TRUE(Contains(result.err, part)) << part << " in " << result.err;
  }
}

TEST(Run, PipesGetPlainText) {
  const ProgramResult result = Tern(Greedy("4"));
  EXPECT_FALSE(Contains(result.out + result.err, "\033"));
  EXPECT_FALSE(Contains(result.out + result.err, "\r"));
}

TEST(Run, JsonHasTheContractsShape) {
  const json result = TernJson(Greedy("5"));
  EXPECT_EQ(result["prompt_tokens"], kPromptIds.size());
  EXPECT_EQ(result["generated_tokens"], 5);
  EXPECT_EQ(result["ids"].size(), 5U);
  EXPECT_EQ(result["stopped_by"], "length");
  for (const char* key :
       {"load_seconds", "prefill_tokens_per_second", "decode_tokens_per_second",
        "weights_read_gb_per_second", "peak_memory_bytes", "seed"}) {
    EXPECT_TRUE(result["timing"].contains(key)) << key;
  }
  EXPECT_GT(result["timing"]["peak_memory_bytes"], 10000000);
}

TEST(Run, TextDoesNotDependOnThreads) {
  const Words sampled = {"run", "-p", kPrompt, "-n", "24", "--seed", "5"};
  const json one = TernJson(sampled + Words{"-t", "1"});
  EXPECT_EQ(TernJson(sampled + Words{"-t", "2"})["ids"], one["ids"]);
  EXPECT_EQ(TernJson(sampled + Words{"-t", "3"})["ids"], one["ids"]);
}

TEST(Run, SeedRepeatsARunAndIsToldWhenItIsRandom) {
  const Words words = {"run", "-p", kPrompt, "-n", "24", "--temp", "1.5"};
  const json first = TernJson(words);
  const json second = TernJson(words);
  EXPECT_NE(first["timing"]["seed"], second["timing"]["seed"]);
  EXPECT_NE(first["ids"], second["ids"]);
  const std::string seed = first["timing"]["seed"].dump();
  EXPECT_EQ(TernJson(words + Words{"--seed", seed})["ids"], first["ids"]);
}

TEST(Run, PromptComesFromFileOrStdin) {
  const std::string text = TernJson(Greedy("8"))["text"];
  const Words words = {"run", "--temp", "0", "-n", "8"};
  const std::string line = std::string(kPrompt) + "\n";
  EXPECT_EQ(TernJson(words, {.input = line})["text"], text);
  const Folder folder;
  std::ofstream(folder.File("prompt")) << line;
  EXPECT_EQ(TernJson(words + Words{"-f", folder.File("prompt")})["text"], text);
}

TEST(Run, StopStringsEndTheTextBeforeThem) {
  const std::string text = TernJson(Greedy("24"))["text"];
  ASSERT_GT(text.size(), 30U);
  const std::string stop = text.substr(20, 6);
  const json stopped =
      TernJson(Greedy("24") + Words{"--stop", stop, "--stop", "never said"});
  EXPECT_EQ(stopped["text"], text.substr(0, text.find(stop)));
  EXPECT_EQ(stopped["stopped_by"], "stop");
}

TEST(Run, FullContextEndsTheRun) {
  const json result = TernJson({"run", "-p", kPrompt, "-c", "14"});
  EXPECT_LE(result["generated_tokens"], 4);
  EXPECT_EQ(result["stopped_by"], "context");
  const ProgramResult exact = Tern({"run", "-p", kPrompt, "-c", "10"});
  EXPECT_EQ(exact.status, 1);
  EXPECT_TRUE(Contains(exact.err, "as many as")) << exact.err;
  const ProgramResult longer = Tern({"run", "-p", kPrompt, "-c", "9"});
  EXPECT_EQ(longer.status, 1);
  EXPECT_TRUE(Contains(longer.err, "10 tokens")) << longer.err;
  EXPECT_TRUE(Contains(longer.err, "larger --ctx")) << longer.err;
  EXPECT_EQ(longer.out, "");
}

TEST(Run, TheHeadHasTheFormThatIsAskedFor) {
  // The head of the model that ships has 8 bits a weight.
  const ProgramResult refused = Tern(Greedy("1") + Words{"--head", "screened"});
  EXPECT_EQ(refused.status, 1);
  EXPECT_TRUE(Contains(refused.err, "token_embd.weight")) << refused.err;
  EXPECT_TRUE(Contains(Tern(Greedy("1") + Words{"--head", "q8"}).err,
                       "q8_0 tied head;"));

  const Folder folder;
  const std::string f16 = folder.File("f16.gguf");
  ASSERT_EQ(Tern({"pack", kModel, f16, "--head", "f16"}).status, 0);
  const Words words = Words{"-m", f16, "--seed", "5"};
  const auto run = [&](const std::string& head) {
    return TernJson(Words{"run", "-p", kPrompt, "-n", "60", "--head", head} +
                    words);
  };
  const json stored = run("f16");
  const json screened = run("screened");
  EXPECT_EQ(screened["ids"], stored["ids"]);
  EXPECT_EQ(run("auto")["timing"]["head_bytes_per_token"], 4096 * 768 * 2);
  EXPECT_EQ(run("q8")["timing"]["head_bytes_per_token"], 4096 * (768 + 4));
  // A trained head: a third, and few rows more.
  EXPECT_LT(screened["timing"]["head_bytes_per_token"], 4096 * 768 * 2 * 0.42);
}

TEST(Run, ContextBeyondTheModelsIsWrongUsage) {
  const ProgramResult result = Tern({"run", "-p", "x", "-c", "1025"});
  EXPECT_EQ(result.status, 2);
  EXPECT_TRUE(Contains(result.err, "--ctx: 1025")) << result.err;
}

TEST(Run, NoLargerContextIsOfferedThanTheModelHas) {
  std::string prompt;
  for (int i = 0; i < 1100; ++i) prompt += "a ";
  const ProgramResult result = Tern({"run", "-p", prompt});
  EXPECT_EQ(result.status, 1);
  EXPECT_TRUE(Contains(result.err, "context of 1024; ")) << result.err;
  EXPECT_FALSE(Contains(result.err, "--ctx")) << result.err;
}

TEST(Run, NothingGeneratedHasNoSpeed) {
  const ProgramResult result = Tern(Greedy("0"));
  EXPECT_EQ(result.out, std::string(kPrompt) + "\n");
  EXPECT_TRUE(Contains(result.err, "prefill ")) << result.err;
  EXPECT_FALSE(Contains(result.err, "decode ")) << result.err;
}

TEST(Run, SpecialTokensAreTextUnlessAskedFor) {
  const std::string name = "<|eot_id|>";
  const Words words = {"run", "-p", name, "-n", "0"};
  EXPECT_GT(TernJson(words)["prompt_tokens"], 2);
  EXPECT_EQ(TernJson(words + Words{"--special"})["prompt_tokens"], 2);
}

TEST(Run, InterruptPrintsWhatThereIsAndEndsWith130) {
  const ProgramResult result =
      Tern({"run", "-p", kPrompt, "--top-k", "1", "--repeat-penalty", "1.3"},
           {.on_first_output = [](int pid) { kill(pid, SIGINT); }});
  EXPECT_EQ(result.status, 130);
  EXPECT_EQ(result.out.substr(0, std::strlen(kPrompt)), kPrompt);
  EXPECT_EQ(result.out.back(), '\n');
  EXPECT_TRUE(Contains(result.err, "prefill ")) << result.err;
}

TEST(Run, ClosedPipeEndsQuietly) {
  const ProgramResult result = Tern(Greedy("4"), {.close_stdout = true});
  EXPECT_EQ(result.status, 1);
  EXPECT_FALSE(Contains(result.err, "tern: ")) << result.err;
}

TEST(Run, FullDiskIsAnError) {
  const ProgramResult result = Tern(Greedy("4"), {.stdout_path = "/dev/full"});
  EXPECT_EQ(result.status, 1);
  EXPECT_TRUE(Contains(result.err, "tern: standard output: ")) << result.err;
}

TEST(Tokenize, GivesTheReferencesIds) {
  EXPECT_EQ(Tern({"tokenize", "--ids", kPrompt}).out,
            std::string(kPromptIdsText) + "\n");
  const json result = TernJson({"tokenize", kPrompt});
  EXPECT_EQ(result["ids"], kPromptIds);
  std::string pieces;
  for (std::size_t i = 1; i < result["pieces"].size(); ++i) {
    pieces += result["pieces"][i].get<std::string>();
  }
  EXPECT_EQ(pieces, kPrompt);
  EXPECT_EQ(Tern({"tokenize", "--no-bos", "Once"}).out, "46\tO\n1483\tnce\n");
  EXPECT_EQ(Tern({"tokenize", "--ids"}, {.input = kPrompt}).out,
            std::string(kPromptIdsText) + "\n");
}

TEST(Tokenize, AnyBytesComeBack) {
  std::string bytes;
  for (int i = 1; i < 256; ++i) bytes += static_cast<char>(i);
  bytes += "caf\xc3\xa9 \xf0\x9f\x99\x82\n\n  ";
  const ProgramResult ids =
      Tern({"tokenize", "--ids", "--no-bos"}, {.input = bytes});
  EXPECT_EQ(ids.status, 0) << ids.err;
  EXPECT_EQ(Tern({"detokenize"}, {.input = ids.out}).out, bytes);
  // Every piece is a valid JSON string, though many are half characters.
  EXPECT_EQ(TernJson({"tokenize"}, {.input = bytes})["ids"].size(),
            TernJson({"tokenize"}, {.input = bytes})["pieces"].size());
}

TEST(Tokenize, SpecialTokensAreTextUnlessAskedFor) {
  EXPECT_EQ(
      Tern({"tokenize", "--ids", "--no-bos", "--special", "<|eot_id|>"}).out,
      "4095\n");
  EXPECT_NE(Tern({"tokenize", "--ids", "--no-bos", "<|eot_id|>"}).out,
            "4095\n");
}

TEST(Detokenize, TakesWhatTokenizePrints) {
  for (const char* form : {"--ids", "--json"}) {
    const std::string ids = Tern({"tokenize", "--no-bos", form, kPrompt}).out;
    EXPECT_EQ(Tern({"detokenize"}, {.input = ids}).out, kPrompt) << form;
  }
}

TEST(Detokenize, IdsOutsideTheVocabularyAreNamed) {
  EXPECT_EQ(Tern({"detokenize", "4096"}).status, 2);
  const ProgramResult piped = Tern({"detokenize"}, {.input = "4096"});
  EXPECT_EQ(piped.status, 1);
  EXPECT_TRUE(Contains(piped.err, "4096")) << piped.err;
}

TEST(Logits, AllPositionsEndWithTheLastOne) {
  const Folder folder;
  const std::string file = folder.File("logits");
  ASSERT_EQ(
      Tern({"logits", "--tokens", kPromptIdsText, "--all", "-o", file}).status,
      0);
  const std::vector<float> all = Floats(ReadFile(file));
  ASSERT_EQ(all.size(), kPromptIds.size() * kVocabulary);
  ASSERT_EQ(Tern({"logits", "--tokens", kPromptIdsText, "-o", file}).status, 0);
  const std::vector<float> last = Floats(ReadFile(file));
  EXPECT_EQ(last, std::vector<float>(all.end() - kVocabulary, all.end()));
  EXPECT_EQ(Floats(Tern({"logits", "--tokens", kPromptIdsText, "-o", "-"}).out),
            last);
  EXPECT_EQ(folder.Count(), 1U) << "a temporary file was left";
  // The greedy continuation begins with the largest of them.
  EXPECT_EQ(TernJson(Greedy("1"))["ids"][0],
            std::max_element(last.begin(), last.end()) - last.begin());
}

// A file opened while a standard stream is closed takes its number.
const char* const kFixture = TERN_SOURCE_DIR "/tests/golden/";

// What one model's logits are with these options.
std::string LogitsOf(const Folder& folder, const std::string& model,
                     const Words& options) {
  const std::string out = folder.File("out");
  const ProgramResult result = Tern(
      Words{"logits", "-m", kFixture + model, "--tokens", "1,2,3", "-o", out} +
      options);
  EXPECT_EQ(result.status, 0) << result.err;
  return ReadFile(out);
}

TEST(Logits, ActivationsAndI2SLayoutAreChosen) {
  const Folder folder;
  const std::string model = "zb-bitnet-256.i2_s.gguf";
  const std::string plain = LogitsOf(folder, model, {});
  EXPECT_EQ(LogitsOf(folder, model, {"--activations", "int8"}), plain);
  EXPECT_EQ(LogitsOf(folder, model, {"--activations", "auto"}), plain);
  EXPECT_NE(LogitsOf(folder, model, {"--activations", "none"}), plain);
  EXPECT_EQ(LogitsOf(folder, model, {"--i2s-layout", "a"}), plain);
  EXPECT_NE(LogitsOf(folder, model, {"--i2s-layout", "b"}), plain);
  EXPECT_NE(LogitsOf(folder, model, {"--i2s-layout", "c"}), plain);
}

TEST(Logits, DoesNotReplaceTheModel) {
  const Folder folder;
  const std::string copy = folder.File("model.gguf");
  fs::copy_file(std::string(kFixture) + "zb-bitnet-256.i2_s.gguf", copy);
  const auto size = fs::file_size(copy);
  const ProgramResult result =
      Tern({"logits", "-m", copy, "--tokens", "1", "-o", copy});
  EXPECT_EQ(result.status, 1);
  EXPECT_TRUE(Contains(result.err, "choose another name")) << result.err;
  EXPECT_EQ(fs::file_size(copy), size);
}

TEST(Pack, RecordsWhatTernaryLayersTake) {
  const Folder folder;
  const std::string source = std::string(kFixture) + "zb-bitnet-256.i2_s.gguf";
  const std::string packed = folder.File("none.gguf");
  const ProgramResult made = Tern(
      {"pack", source, packed, "--type", "tq1_0", "--activations", "none"});
  ASSERT_EQ(made.status, 0) << made.err;
  EXPECT_EQ(TernJson({"inspect", packed})["config"]["inputs_of_ternary_layers"],
            "not quantised");
  const ProgramResult run = Tern({"logits", "-m", packed, "--tokens", "1,2,3",
                                  "-o", folder.File("recorded")});
  EXPECT_EQ(run.status, 0) << run.err;
  EXPECT_EQ(
      ReadFile(folder.File("recorded")),
      LogitsOf(folder, "zb-bitnet-256.i2_s.gguf", {"--activations", "none"}));
}

TEST(Logits, ClosedStandardStreamsDoNotSwallowTheFile) {
  const Folder folder;
  const std::string file = folder.File("logits");
  const std::string command =
      "exec \"$0\" logits --tokens 1 -m \"$1\" -o \"$2\" ";
  for (const char* closed : {"<&-", ">&-", "2>&-", "<&- >&- 2>&-"}) {
    fs::remove(file);
    const ProgramResult result = RunProgram(
        "/bin/sh", {"-c", command + closed, TERN_PROGRAM, kModel, file});
    EXPECT_EQ(result.status, 0) << closed;
    EXPECT_EQ(ReadFile(file).size(), sizeof(float) * kVocabulary) << closed;
  }
}

TEST(Logits, WrongIdsLeaveNoFile) {
  const Folder folder;
  const ProgramResult result =
      Tern({"logits", "--tokens", "1,4096", "-o", folder.File("logits")});
  EXPECT_EQ(result.status, 2);
  EXPECT_TRUE(Contains(result.err, "--tokens: id 4096")) << result.err;
  EXPECT_EQ(folder.Count(), 0U);
}

// A text of some 200 tokens.
std::string Story() {
  std::string text;
  for (int i = 0; i < 8; ++i) {
    text +=
        "The old fox went down to the river, for he was hungry, and there he "
        "met a rabbit who had lost his way home. ";
  }
  return text;
}

TEST(Perplexity, OfATextIsThatOfItsIds) {
  const Folder folder;
  std::ofstream(folder.File("ids")) << TernJson({"tokenize", Story()})["ids"];
  std::ofstream(folder.File("document"))
      << Tern({"tokenize", "--json", Story()}).out;
  std::ofstream(folder.File("line"))
      << Tern({"tokenize", "--ids", Story()}).out;
  const Words text = {"perplexity", "--ctx", "64", "-f", "-"};
  const json by_text = TernJson(text, {.input = Story()});
  EXPECT_GT(by_text["tokens"], 60);
  EXPECT_NEAR(std::exp(by_text["nll"].get<double>()), by_text["perplexity"],
              1e-9);
  EXPECT_LT(by_text["perplexity"], 200);  // of 4096 tokens: it is English
  for (const char* form : {"ids", "document", "line"}) {
    EXPECT_EQ(
        TernJson({"perplexity", "--ctx", "64", "--tokens", folder.File(form)}),
        by_text)
        << form;
  }
}

TEST(Perplexity, OfAListIsTheMeanOverItsLogits) {
  const Folder folder;
  std::ofstream(folder.File("ids")) << json::array({kPromptIds, kPromptIds});
  const json result = TernJson({"perplexity", "--tokens", folder.File("ids")});
  const std::vector<float> logits = Floats(
      Tern({"logits", "--tokens", kPromptIdsText, "--all", "-o", "-"}).out);
  double sum = 0;
  for (std::size_t i = 1; i < kPromptIds.size(); ++i) {
    const float* row = logits.data() + (i - 1) * kVocabulary;
    double total = 0;
    for (std::size_t v = 0; v < kVocabulary; ++v) {
      total += std::exp(static_cast<double>(row[v]));
    }
    sum += std::log(total) - row[kPromptIds[i]];
  }
  const auto scored = kPromptIds.size() - 1;
  EXPECT_EQ(result["tokens"], 2 * scored);
  EXPECT_NEAR(result["nll"].get<double>(), sum / static_cast<double>(scored),
              1e-6);
}

TEST(Perplexity, StrideScoresEveryTokenButTheFirst) {
  const json ids = TernJson({"tokenize", Story()})["ids"];
  const json result =
      TernJson({"perplexity", "--ctx", "64", "--stride", "20", "-f", "-"},
               {.input = Story()});
  EXPECT_EQ(result["tokens"], ids.size() - 1);
}

TEST(Perplexity, ListsThatDoNotFitAreNamed) {
  const Folder folder;
  const std::string ids = folder.File("ids");
  const auto refused = [&](const char* lists, const Words& more) {
    std::ofstream(ids) << lists;
    return Tern(Words{"perplexity", "--tokens", ids} + more).err;
  };
  EXPECT_TRUE(Contains(refused("[[1,2],[3]]", {}), "list 1 has 1 ids"));
  EXPECT_TRUE(
      Contains(refused("[[1,2],[1,2,3,4,5]]", {"-c", "4"}), "list 1 has 5"));
  EXPECT_TRUE(Contains(refused("[[1,2]]", {"-c", "1025"}), "--ctx: 1025"));
}

TEST(Perplexity, TooShortATextIsRefusedWithAdvice) {
  const ProgramResult result =
      Tern({"perplexity", "-f", "-"}, {.input = kPrompt});
  EXPECT_EQ(result.status, 1);
  EXPECT_TRUE(Contains(result.err, "smaller --ctx")) << result.err;
}

TEST(Inspect, TheShippedModelIsSound) {
  const json report = TernJson({"inspect", kModel, "--ctx", "256"});
  EXPECT_TRUE(report["problems"].empty()) << report["problems"];
  EXPECT_EQ(report["config"]["architecture"], "bitnet-b1.58");
  EXPECT_EQ(report["config"]["num_layers"], 12);
  EXPECT_EQ(report["memory"]["context_length"], 256);
  int ternary = 0;
  for (const json& tensor : report["tensors"]) {
    if (!tensor.contains("share_zero")) continue;
    ++ternary;
    EXPECT_NEAR(tensor["share_minus"].get<double>() +
                    tensor["share_zero"].get<double>() +
                    tensor["share_plus"].get<double>(),
                1.0, 1e-9);
  }
  EXPECT_EQ(ternary, 12 * 7);
  const ProgramResult text = Tern({"inspect"});
  EXPECT_EQ(text.status, 0);
  EXPECT_TRUE(Contains(text.out, "no problems found"));
}

TEST(Inspect, ContextBeyondTheModelsIsWrongUsage) {
  const ProgramResult result = Tern({"inspect", "--ctx", "1025"});
  EXPECT_EQ(result.status, 2);
  EXPECT_TRUE(Contains(result.err, "--ctx: 1025")) << result.err;
}

TEST(Inspect, DamagedFilesGiveStatusOne) {
  const Folder folder;
  const std::string bytes = ReadFile(kModel);
  std::ofstream(folder.File("short.gguf"), std::ios::binary)
      << bytes.substr(0, bytes.size() / 2);
  const ProgramResult result = Tern({"inspect", folder.File("short.gguf")});
  EXPECT_EQ(result.status, 1);
  EXPECT_TRUE(Contains(result.err, "short.gguf")) << result.err;
}

TEST(Pack, RepackedModelGivesTheSameLogits) {
  const Folder folder;
  const std::string packed = folder.File("packed.gguf");
  for (const char* type : {"i2_s", "tq2_0"}) {
    ASSERT_EQ(Tern({"pack", kModel, packed, "--type", type, "--force"}).status,
              0);
    const Words words = {"logits", "--tokens", kPromptIdsText, "-o", "-"};
    EXPECT_EQ(Tern(words + Words{"-m", packed}).out, Tern(words).out) << type;
  }
}

TEST(Pack, NothingIsOverwrittenWithoutForce) {
  const Folder folder;
  const std::string file = folder.File("precious.gguf");
  std::ofstream(file) << "precious";
  const ProgramResult result = Tern({"pack", kModel, file});
  EXPECT_EQ(result.status, 1);
  EXPECT_TRUE(Contains(result.err, "--force")) << result.err;
  EXPECT_EQ(ReadFile(file), "precious");
  EXPECT_EQ(folder.Count(), 1U) << "a temporary file was left";
}

}  // namespace
}  // namespace tern
