#include "cli/bench_options.h"

#include <algorithm>
#include <limits>
#include <string_view>

#include <tern/cpu.h>
#include <tern/error.h>

namespace tern::cli {
namespace {

constexpr std::size_t kMostTokens = std::size_t{1} << 20;

std::vector<std::string> SplitAtCommas(const std::string& text) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  while (true) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    if (end == text.size()) return parts;
    begin = end + 1;
  }
}

template <class T>
void RefuseTwice(const std::vector<T>& values, const std::string& option,
                 const std::string& text) {
  const bool twice =
      std::any_of(values.begin(), values.end(), [&](const T& value) {
        return std::count(values.begin(), values.end(), value) > 1;
      });
  if (twice) {
    throw UsageError(option + ": '" + text + "' has something twice");
  }
}

// An option whose value is numbers within [min, max], separated by commas.
template <class T>
po::typed_value<std::string>* NumberList(std::vector<T>* out,
                                         const std::string& option, T min,
                                         T max, const std::string& allowed) {
  return po::value<std::string>()->value_name("N,...")->notifier(
      [=](const std::string& text) {
        out->clear();
        for (const std::string& part : SplitAtCommas(text)) {
          out->push_back(ParseNumber<T>(part, option, min, max, allowed));
        }
        RefuseTwice(*out, option, text);
      });
}

std::vector<WeightFormat> ParseFormats(const std::string& text) {
  std::vector<WeightFormat> formats;
  for (const std::string& part : SplitAtCommas(text)) {
    if (part != "ternary" && part != "f16") {
      throw UsageError("--format: '" + part + "' is not ternary or f16");
    }
    formats.push_back(part == "f16" ? WeightFormat::kF16
                                    : WeightFormat::kTernary);
  }
  RefuseTwice(formats, "--format", text);
  return formats;
}

std::vector<HeadForm> ParseHeads(const std::string& text) {
  std::vector<HeadForm> heads;
  for (const std::string& part : SplitAtCommas(text)) {
    heads.push_back(ParseHeadForm(part));
  }
  RefuseTwice(heads, "--head", text);
  return heads;
}

std::string ParseShape(const std::string& name) {
  try {
    return RandomShape(name).name;
  } catch (const Error& error) {
    throw UsageError(std::string("--shape: ") + error.what());
  }
}

// The values as they are written, before they are put together.
struct Written {
  std::string format;
  std::vector<std::size_t> prompts = {512};
  std::vector<std::size_t> generated = {128};
};

void AddWhatToMeasure(po::options_description& options, BenchOptions* out,
                      Written* written) {
  AddModelOption(options, &out->model);
  std::string shapes =
      "make a model of this shape with random weights instead:";
  for (const std::string& name : RandomShapeNames()) {
    shapes.append(" ").append(name);
  }
  const auto tokens = [](std::vector<std::size_t>* list, const char* option) {
    return NumberList<std::size_t>(
        list, option, 0, kMostTokens,
        "a whole number from 0 to " + std::to_string(kMostTokens));
  };
  options.add_options()(
      "shape",
      po::value<std::string>()->value_name("NAME")->notifier(
          [out](const std::string& name) { out->shape = ParseShape(name); }),
      shapes.c_str())(
      "format", Name(&written->format, "--format", "TYPE,..."),
      "how the linear layers of --shape are stored: ternary, f16 or both "
      "(default ternary)")(
      "compare", po::bool_switch(&out->compare),
      "ternary and f16 of one --shape in turn, and how much faster and smaller "
      "ternary is, beside the b1.58 paper's figures")(
      "f16-layers",
      Number<std::size_t>(&out->f16_layers, "--f16-layers", 1, kMostTokens,
                          "a whole number of 1 or more"),
      "with --compare, where all of f16 does not fit: make N of its layers, "
      "and compute what all of them and the head would take")(
      "prompt,p", tokens(&written->prompts, "--prompt"),
      "time reading a prompt of N tokens, for every N; 0: none (default 512)")(
      "generate,n", tokens(&written->generated, "--generate"),
      "time generating N tokens, for every N; 0: none (default 128)")(
      "depth",
      Number<std::size_t>(
          &out->depth, "--depth", 0, kMostTokens,
          "a whole number from 0 to " + std::to_string(kMostTokens)),
      "tokens that are in the context already when a test begins (default 0)");
}

void AddHowToMeasure(po::options_description& options, BenchOptions* out) {
  options.add_options()(
      "threads,t",
      NumberList<int>(&out->threads, "--threads", 1, 1024,
                      "a whole number from 1 to 1024"),
      "threads, for every number of them (default: the physical cores that may "
      "be used)")("repetitions,r",
                  Number<std::size_t>(&out->repetitions, "--repetitions", 3,
                                      1000, "a whole number from 3 to 1000"),
                  "samples of each test, of which the median counts, after a "
                  "warm-up (default 5)");
  AddKvOption(options, &out->kv_type);
  options.add_options()(
      "head",
      po::value<std::string>()
          ->value_name("FORM,...")
          ->notifier([out](const std::string& text) {
            out->heads = ParseHeads(text);
          }),
      "forms of the output head, each a model of its own: f16 (as stored), q8, "
      "screened (default auto: as stored)");
  AddFileOptions(options, &out->file);
  AddFormatOptions(options, &out->format);
  options.add_options()("target", Name(&out->target, "--target", "ISA"),
                        "instruction set, one of those that `tern --version` "
                        "lists (default: the best that the CPU has)")(
      "json", po::bool_switch(&out->json),
      "print one JSON array instead of tables");
}

// What says how a file is read, or how layers that are not made compute.
void RefuseWithShape(const BenchOptions& options) {
  if (options.shape.empty()) return;
  if (options.format.i2s_layout) {
    throw UsageError(
        "--i2s-layout: is about files, cannot be combined with "
        "--shape");
  }
  if (options.file.verify || options.file.map) {
    throw UsageError(std::string(options.file.verify ? "--verify" : "--mmap") +
                     ": is about files, cannot be combined with --shape");
  }
  const bool is_ternary =
      std::count(options.formats.begin(), options.formats.end(),
                 WeightFormat::kTernary) != 0;
  if (options.format.input_type && !is_ternary) {
    throw UsageError(
        "--activations: is about ternary layers, cannot be "
        "combined with --format f16 alone");
  }
}

void CheckF16Layers(const BenchOptions& options) {
  if (options.f16_layers == 0) return;
  if (!options.compare) throw UsageError("--f16-layers: needs --compare");
  const std::size_t layers = RandomShape(options.shape).num_layers;
  if (options.f16_layers >= layers) {
    throw UsageError("--f16-layers: " + options.shape + " has " +
                     std::to_string(layers) +
                     " layers, and fewer are asked for; without it all are "
                     "measured");
  }
  if (options.heads != std::vector<HeadForm>{HeadForm::kAuto}) {
    throw UsageError(
        "--head: cannot be combined with --f16-layers, whose head is computed "
        "as f16");
  }
}

void PutTogether(const Written& written, BenchOptions* options) {
  if (!options->shape.empty() && !options->model.empty()) {
    throw UsageError("--shape: cannot be combined with --model");
  }
  if (options->shape.empty() && (options->compare || !written.format.empty())) {
    throw UsageError(std::string(options->compare ? "--compare" : "--format") +
                     ": needs --shape; a model of a file is measured as it is");
  }
  if (options->compare && !written.format.empty()) {
    throw UsageError(
        "--format: cannot be combined with --compare, which "
        "measures both");
  }
  if (!written.format.empty()) options->formats = ParseFormats(written.format);
  if (options->compare) {
    options->formats = {WeightFormat::kTernary, WeightFormat::kF16};
  }
  RefuseWithShape(*options);
  CheckF16Layers(*options);
  for (const std::size_t tokens : written.prompts) {
    if (tokens != 0) options->tests.push_back({false, tokens});
  }
  for (const std::size_t tokens : written.generated) {
    if (tokens != 0) options->tests.push_back({true, tokens});
  }
  if (options->tests.empty()) {
    throw UsageError("--prompt and --generate: both are 0, nothing to measure");
  }
  if (options->threads.empty()) options->threads = {UsableCores()};
}

}  // namespace

std::size_t BenchOptions::ContextLength() const {
  std::size_t longest = 0;
  for (const BenchTest& test : tests) {
    longest = std::max(longest, Start(test) + test.tokens + 1);
  }
  return longest;
}

bool ParseBenchOptions(const Arguments& arguments, BenchOptions* options) {
  CommandLine line(
      {"tern bench [-m PATH | --shape NAME] [options]",
       "Measures how many tokens a second a model reads and generates, and "
       "what share\nof the memory's speed, measured in the same run, that "
       "takes. Before anything is\ntimed, 64 rows of every shape of matrix are "
       "compared with plain loops. Several\nformats, heads and numbers of "
       "threads "
       "are timed in turn, so that a clock that\nchanges changes for all. A "
       "shape of random weights needs no file.",
       "  tern bench --shape bitnet-2b4t -p 512 -n 128 -t 1,2\n"
       "  tern bench --shape bitnet-3b --compare\n"
       "  tern bench --shape bitnet-2b4t -p 0 --head f16,q8,screened\n"
       "  tern bench -m model.gguf --depth 2048 --json"});
  Written written;
  AddWhatToMeasure(line.options(), options, &written);
  AddHowToMeasure(line.options(), options);
  if (!line.Parse(arguments)) return false;
  PutTogether(written, options);
  return true;
}

void CheckBenchContext(const BenchOptions& options, const ModelConfig& config) {
  const std::size_t needed = options.ContextLength();
  if (needed <= config.max_context) return;
  throw UsageError("--depth, --prompt and --generate: the tests need " +
                   std::to_string(needed) + " positions, the model has " +
                   std::to_string(config.max_context));
}

}  // namespace tern::cli
