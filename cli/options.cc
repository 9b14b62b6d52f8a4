#include "cli/options.h"

#include <sstream>
#include <utility>

#include "cli/io.h"

namespace tern::cli {
namespace {

constexpr unsigned kHelpWidth = 80;
constexpr const char* kWords = "words";

std::optional<InputType> ParseInputType(const std::string& name) {
  if (name == "auto") return std::nullopt;
  if (name == "int8") return InputType::kInt8;
  if (name == "none") return InputType::kFloat;
  throw UsageError("--activations: '" + name + "' is not auto, int8 or none");
}

I2SLayout ParseI2SLayout(const std::string& name) {
  if (name == "a") return I2SLayout::kA;
  if (name == "b") return I2SLayout::kB;
  if (name == "c") return I2SLayout::kC;
  throw UsageError("--i2s-layout: '" + name + "' is not a, b or c");
}

KvType ParseKvType(const std::string& text) {
  if (text == "f32") return KvType::kF32;
  if (text == "f16") return KvType::kF16;
  if (text == "q8") return KvType::kQ8;
  throw UsageError("--kv: '" + text + "' is not f32, f16 or q8");
}

po::variables_map ParseWithBoost(const Arguments& arguments,
                                 const po::options_description& all) {
  // Without guessing: `--tem 1` must not work today and mean another option
  // tomorrow.
  namespace style = po::command_line_style;
  const int how = style::default_style & ~style::allow_guessing;
  po::positional_options_description positions;
  positions.add(kWords, -1);
  po::variables_map values;
  po::store(po::command_line_parser(arguments)
                .options(all)
                .positional(positions)
                .style(how)
                .run(),
            values);
  return values;
}

}  // namespace

CommandLine::CommandLine(CommandHelp help)
    : help_(std::move(help)), options_("Options", kHelpWidth, kHelpWidth / 2) {}

void CommandLine::TakeWords(std::size_t count,
                            std::vector<std::string>* words) {
  max_words_ = count;
  words_ = words;
}

bool CommandLine::Parse(const Arguments& arguments) {
  options_.add_options()("help,h", "print this and end");
  std::vector<std::string> words;
  po::options_description all;
  all.add(options_).add_options()(kWords,
                                  po::value<std::vector<std::string>>(&words));
  try {
    po::variables_map values = ParseWithBoost(arguments, all);
    if (values.count("help") != 0) {
      WriteResult(HelpText());
      return false;
    }
    po::notify(values);
  } catch (const po::unknown_option& error) {
    throw UsageError(error.get_option_name() + ": unknown option");
  } catch (const po::multiple_occurrences& error) {
    throw UsageError(error.get_option_name() + ": given more than once");
  } catch (const po::invalid_syntax& error) {
    const bool extra = error.kind() == po::invalid_syntax::extra_parameter;
    throw UsageError(error.get_option_name() +
                     (extra ? ": takes no value" : ": needs a value"));
  } catch (const po::error& error) {
    throw UsageError(error.what());
  }
  if (words.size() > max_words_) {
    throw UsageError("'" + words[max_words_] + "': one word too many");
  }
  if (words_ != nullptr) *words_ = std::move(words);
  return true;
}

std::string CommandLine::HelpText() const {
  std::ostringstream out;
  out << "usage: " << help_.usage << "\n\n"
      << help_.about << "\n\n"
      << options_ << "\nExample:\n"
      << help_.example << "\n";
  return out.str();
}

void AddModelOption(po::options_description& options, std::string* model) {
  options.add_options()(
      "model,m", Name(model, "--model", "PATH"),
      "GGUF file, Hugging Face directory, or .safetensors file beside its "
      "config.json (default: $TERN_MODEL, else the model that ships)");
}

void AddContextOption(po::options_description& options,
                      std::optional<std::size_t>* out,
                      const std::string& help) {
  options.add_options()(
      "ctx,c",
      Number<std::size_t>(out, "--ctx", 1, std::size_t{1} << 30,
                          "a whole number of at least 1"),
      help.c_str());
}

void AddKvOption(po::options_description& options, KvType* out) {
  options.add_options()(
      "kv",
      po::value<std::string>()->value_name("TYPE")->notifier(
          [out](const std::string& text) { *out = ParseKvType(text); }),
      "how keys and values are kept: f32, f16 or q8 (default f16)");
}

HeadForm ParseHeadForm(const std::string& text) {
  if (text == "auto") return HeadForm::kAuto;
  if (text == "f16") return HeadForm::kAsStored;
  if (text == "q8") return HeadForm::kQ8;
  if (text == "screened") return HeadForm::kScreened;
  throw UsageError("--head: '" + text + "' is not auto, f16, q8 or screened");
}

void AddI2SLayoutOption(po::options_description& options,
                        std::optional<I2SLayout>* out) {
  options.add_options()(
      "i2s-layout",
      po::value<std::string>()->value_name("NAME")->notifier(
          [out](const std::string& text) { *out = ParseI2SLayout(text); }),
      "order of the codes in a GGUF file's I2_S tensors, which it does not "
      "tell: a (as published), b (written on ARM) or c (four rows a byte) "
      "(default a)");
}

void AddFileOptions(po::options_description& options, FileOptions* out) {
  options.add_options()(
      "verify", po::bool_switch(&out->verify),
      "check the checksums that the file records before it is used; refused "
      "for a file that records none (all but t2)")(
      "mmap", po::bool_switch(&out->map),
      "use weights where they lie in the file instead of copying them: t2, "
      "f16 and the like; the file must not change meanwhile");
}

void AddThreadsOption(po::options_description& options, int* out) {
  options.add_options()(
      "threads,t",
      Number<int>(out, "--threads", 1, 1024, "a whole number from 1 to 1024"),
      "threads (default: the physical cores that may be used)");
}

void AddFormatOptions(po::options_description& options, FormatOptions* out) {
  options.add_options()(
      "activations",
      po::value<std::string>()->value_name("TYPE")->notifier(
          [out](const std::string& text) {
            out->input_type = ParseInputType(text);
          }),
      "what ternary layers make of their inputs: int8 (a scale for each token) "
      "or none (taken as they are) (default auto: as the model was trained)");
  AddI2SLayoutOption(options, &out->i2s_layout);
}

void AddComputeOptions(po::options_description& options, ComputeOptions* out,
                       const std::string& context_help) {
  AddContextOption(options, &out->context_length, context_help);
  AddThreadsOption(options, &out->num_threads);
  AddKvOption(options, &out->kv_type);
  options.add_options()(
      "head",
      po::value<std::string>()->value_name("FORM")->notifier(
          [out](const std::string& text) { out->head = ParseHeadForm(text); }),
      "the output head: f16 (as stored, whatever its type), q8 (int8 rows: "
      "half the bytes, a small loss) or screened (0.52 of f16's bytes more "
      "memory, "
      "0.35 to 0.4 of its bytes read for most tokens, the same text) "
      "(default auto: as stored, which needs the least memory)");
  AddFileOptions(options, &out->file);
  AddFormatOptions(options, &out->format);
  options.add_options()("target", Name(&out->target, "--target", "ISA"),
                        "instruction set, one of those that `tern --version` "
                        "lists (default: the best that the CPU has)");
}

void AddSamplingOptions(po::options_description& options, SamplerOptions* out,
                        std::optional<std::uint64_t>* seed) {
  constexpr float kMax = std::numeric_limits<float>::max();
  constexpr float kAboveZero = std::numeric_limits<float>::denorm_min();
  constexpr int kMaxInt = std::numeric_limits<int>::max();
  const std::string any = "a finite number";
  const auto add = [&](const char* name, auto* value, const char* help,
                       double by_default) {
    std::ostringstream text;
    text << help << " (default " << by_default << ")";
    options.add_options()(name, value, text.str().c_str());
  };
  add("temp",
      Number(&out->temperature, "--temp", 0.0F, kMax,
             "a finite number of at least 0"),
      "temperature; 0: always the likeliest token", out->temperature);
  add("top-k",
      Number(&out->top_k, "--top-k", 0, kMaxInt,
             "a whole number of at least 0"),
      "draw from this many likeliest tokens; 0: all", out->top_k);
  add("top-p",
      Number(&out->top_p, "--top-p", kAboveZero, 1.0F,
             "a number above 0 and at most 1"),
      "draw from the fewest tokens with this much probability; 1: all",
      out->top_p);
  add("min-p",
      Number(&out->min_p, "--min-p", 0.0F, 1.0F, "a number from 0 to 1"),
      "leave out tokens below this share of the likeliest one", out->min_p);
  add("repeat-penalty",
      Number(&out->repeat_penalty, "--repeat-penalty", kAboveZero, kMax,
             "a finite number above 0"),
      "divides positive logits of tokens seen before and multiplies negative "
      "ones; 1: none",
      out->repeat_penalty);
  add("repeat-last-n",
      Number(&out->repeat_last_n, "--repeat-last-n", -1, kMaxInt,
             "a whole number of at least -1"),
      "how many last tokens the penalties look at; -1: all",
      out->repeat_last_n);
  add("presence-penalty",
      Number(&out->presence_penalty, "--presence-penalty", -kMax, kMax, any),
      "subtracted from the logit of a token seen before",
      out->presence_penalty);
  add("frequency-penalty",
      Number(&out->frequency_penalty, "--frequency-penalty", -kMax, kMax, any),
      "the same, for each time that it was seen", out->frequency_penalty);
  if (seed == nullptr) return;
  options.add_options()(
      "seed",
      Number<std::uint64_t>(seed, "--seed", 0,
                            std::numeric_limits<std::uint64_t>::max(),
                            "a whole number from 0 to 2^64-1"),
      "repeats a text, on any number of threads and on any machine with the "
      "same --target (default: a random one, told on stderr at the end)");
}

}  // namespace tern::cli
