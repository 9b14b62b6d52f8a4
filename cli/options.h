// The command line of one command: what Boost.Program_options does not do by
// itself, which is to refuse every number out of its range by name, and the
// groups of options that several commands share.
#ifndef TERN_CLI_OPTIONS_H_
#define TERN_CLI_OPTIONS_H_

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include <boost/program_options.hpp>

#include <tern/model.h>
#include <tern/sampler.h>
#include <tern/session.h>

#include "cli/commands.h"
#include "cli/errors.h"

namespace tern::cli {

namespace po = boost::program_options;

// What --help prints around the list of options.
struct CommandHelp {
  std::string usage;    // "tern run [options]"
  std::string about;    // what it does, in lines of at most 80 characters
  std::string example;  // a line for the shell, or several
};

class CommandLine {
 public:
  explicit CommandLine(CommandHelp help);

  // Options are added to this; each tells its value to a variable.
  po::options_description& options() { return options_; }
  // Words without a dash, at most `count` of them, go to `words`.
  void TakeWords(std::size_t count, std::vector<std::string>* words);

  // False if --help was asked for, which is then printed.  Throws UsageError,
  // with the option named, for anything that the command does not know.
  [[nodiscard]] bool Parse(const Arguments& arguments);

 private:
  [[nodiscard]] std::string HelpText() const;

  CommandHelp help_;
  po::options_description options_;
  std::size_t max_words_ = 0;
  std::vector<std::string>* words_ = nullptr;
};

// Throws UsageError unless all of `text` is a number within [min, max];
// `allowed` says that in words.
template <class T>
T ParseNumber(const std::string& text, const std::string& option, T min, T max,
              const std::string& allowed) {
  T value{};
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, value);
  const bool whole = result.ec == std::errc() && result.ptr == end;
  if (!whole || !(value >= min && value <= max)) {  // also for NaN
    throw UsageError(option + ": '" + text + "' is not " + allowed);
  }
  return value;
}

// Throws UsageError if `name`, the value of `option`, is empty.
inline void RefuseEmptyName(const std::string& name,
                            const std::string& option) {
  if (name.empty()) throw UsageError(option + ": the name is empty");
}

// An option whose value is a number within [min, max].  `out` points to a T or
// to an optional T.
template <class T, class Out>
po::typed_value<std::string>* Number(Out* out, const std::string& option, T min,
                                     T max, const std::string& allowed) {
  return po::value<std::string>()->value_name("N")->notifier(
      [=](const std::string& text) {
        *out = ParseNumber<T>(text, option, min, max, allowed);
      });
}

// An option whose value is a string.
template <class Out>
po::typed_value<std::string>* Text(Out* out, const char* value_name) {
  return po::value<std::string>()
      ->value_name(value_name)
      ->notifier([out](const std::string& text) { *out = text; });
}

// An option whose value names a file or the like: a string, but not an empty
// one, which would count as not given.
template <class Out>
po::typed_value<std::string>* Name(Out* out, const char* option,
                                   const char* value_name) {
  return po::value<std::string>()
      ->value_name(value_name)
      ->notifier([out, option](const std::string& text) {
        RefuseEmptyName(text, option);
        *out = text;
      });
}

// -m; empty: the model that ships (loading.h).
void AddModelOption(po::options_description& options, std::string* model);

// What a model's files do not say, or say wrongly.
struct FormatOptions {
  std::optional<InputType> input_type;  // empty: as the files say
  std::optional<I2SLayout> i2s_layout;  // empty: a, as published
};
void AddFormatOptions(po::options_description& options, FormatOptions* out);
void AddI2SLayoutOption(po::options_description& options,
                        std::optional<I2SLayout>* out);

// How a model's file is brought into memory.
struct FileOptions {
  bool verify = false;
  bool map = false;
};
void AddFileOptions(po::options_description& options, FileOptions* out);

// How to compute.
struct ComputeOptions {
  FormatOptions format;
  FileOptions file;
  std::optional<std::size_t> context_length;
  int num_threads = 0;  // 0: all
  KvType kv_type = KvType::kF16;
  HeadForm head = HeadForm::kAuto;
  std::string target;  // empty: the best
};
// `context_help` says what --ctx is when it is not given.
void AddComputeOptions(po::options_description& options, ComputeOptions* out,
                       const std::string& context_help);
void AddContextOption(po::options_description& options,
                      std::optional<std::size_t>* out, const std::string& help);
void AddThreadsOption(po::options_description& options, int* out);
void AddKvOption(po::options_description& options, KvType* out);
// What --head accepts.  Throws UsageError.
HeadForm ParseHeadForm(const std::string& text);

// --temp, --top-k, ... whose defaults are what `out` holds; and --seed, which
// stays empty when not given (nullptr: there is none).
void AddSamplingOptions(po::options_description& options, SamplerOptions* out,
                        std::optional<std::uint64_t>* seed);

}  // namespace tern::cli

#endif  // TERN_CLI_OPTIONS_H_
