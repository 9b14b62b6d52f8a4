#include "cli/serve/serve_options.h"

#include <limits>
#include <sstream>
#include <utility>

#include <tern/error.h>

#include "cli/errors.h"
#include "cli/io.h"

namespace tern::cli::serve {
namespace {

constexpr std::size_t kMaxSlots = 128;  // SchedulerOptions::slots
constexpr int kMaxSeconds = 86400;

using Words = std::vector<std::string>;

// An option that may be given several times.
po::typed_value<Words>* Several(Words* out, const char* option,
                                const char* value_name) {
  return po::value<Words>()
      ->value_name(value_name)
      ->notifier([out, option](const Words& words) {
        for (const std::string& word : words) RefuseEmptyName(word, option);
        *out = words;
      });
}

// What a browser could never send would keep every page out without a word: a
// host alone, one with a slash or a path behind, capital letters (RFC 6454,
// section 6.2).
void RefuseNoOrigin(const std::string& word) {
  if (word == "*" || word == "null") return;
  const std::size_t scheme = word.find("://");
  const bool is_origin =
      scheme != std::string::npos && scheme > 0 && scheme + 3 < word.size() &&
      word.find_first_of("/?#@ ", scheme + 3) == std::string::npos &&
      word.find_first_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ") == std::string::npos;
  if (is_origin) return;
  throw UsageError("--cors-origin: '" + word +
                   "' is not an origin as browsers send it; give "
                   "https://example.org, http://127.0.0.1:3000 or the like, "
                   "without a path, or * for all");
}

po::typed_value<Words>* Origins(Words* out) {
  return po::value<Words>()->value_name("ORIGIN")->notifier(
      [out](const Words& words) {
        for (const std::string& word : words) RefuseNoOrigin(word);
        *out = words;
      });
}

po::typed_value<std::string>* Seconds(std::chrono::milliseconds* out,
                                      const char* option) {
  return po::value<std::string>()->value_name("S")->notifier(
      [out, option](const std::string& text) {
        *out = std::chrono::seconds(ParseNumber(
            text, option, 1, kMaxSeconds, "a whole number from 1 to 86400"));
      });
}

LogFormat ParseLogFormat(const std::string& text) {
  if (text == "text") return LogFormat::kText;
  if (text == "json") return LogFormat::kJson;
  throw UsageError("--log-format: '" + text + "' is neither text nor json");
}

Pooling ParsePooling(const std::string& text) {
  if (text == "mean") return Pooling::kMean;
  if (text == "last") return Pooling::kLast;
  throw UsageError("--pooling: '" + text + "' is neither last nor mean");
}

void AddListenOptions(po::options_description& options, ListenOptions* out) {
  options.add_options()("host", Name(&out->host, "--host", "ADDRESS"),
                        "address to listen on (default 127.0.0.1: this machine "
                        "alone may ask; 0.0.0.0 or ::: others, too)")(
      "port",
      Number<std::uint16_t>(&out->port, "--port", 0,
                            std::numeric_limits<std::uint16_t>::max(),
                            "a whole number from 0 to 65535"),
      "port to listen on; 0: one that is free (default 8080)")(
      "max-connections",
      Number<std::size_t>(&out->max_connections, "--max-connections", 1, 100000,
                          "a whole number from 1 to 100000"),
      "connections that may be open at once (default 512)")(
      "max-body",
      Number<std::uint64_t>(&out->limits.body_bytes, "--max-body", 1024,
                            std::uint64_t{1} << 30U,
                            "a whole number from 1024 to 2^30"),
      "largest body of a request, in bytes (default 1048576)")(
      "max-header",
      Number<std::uint32_t>(&out->limits.header_bytes, "--max-header", 1024,
                            1U << 20U, "a whole number from 1024 to 2^20"),
      "largest header of a request, in bytes (default 16384)")(
      "request-timeout", Seconds(&out->limits.request, "--request-timeout"),
      "seconds in which a request must arrive (default 30)")(
      "idle-timeout", Seconds(&out->limits.idle, "--idle-timeout"),
      "seconds that a connection may wait for a request (default 60)")(
      "write-timeout", Seconds(&out->limits.write, "--write-timeout"),
      "seconds that a client may take nothing of its answer (default 30)");
}

void AddSchedulerOptions(po::options_description& options, ServeOptions* out) {
  options.add_options()(
      "slots",
      Number<std::size_t>(&out->slots, "--slots", 1, kMaxSlots,
                          "a whole number from 1 to 128"),
      "texts that are generated at once (default 8)")(
      "max-waiting",
      Number<std::size_t>(&out->max_waiting, "--max-waiting", 0, 100000,
                          "a whole number from 0 to 100000"),
      "texts that may wait for a slot or for memory; more are refused with 429 "
      "(default 64)")(
      "cache-mib",
      Number<std::uint64_t>(&out->cache_mib, "--cache-mib", 1,
                            std::uint64_t{1} << 30U,
                            "a whole number of at least 1"),
      "most MiB of keys and values (default: seven eighths of what is free at "
      "the start)")(
      "pooling",
      po::value<std::string>()->value_name("HOW")->notifier(
          [out](const std::string& text) {
            out->pooling = ParsePooling(text);
          }),
      "embeddings: of the last token, or the mean of all (default last)");
}

void AddAccessOptions(po::options_description& options, ServeOptions* out,
                      std::string* key_file) {
  options.add_options()(
      "api-key", Several(&out->keys, "--api-key", "KEY"),
      "a key that requests must have; may be given several times. Other users "
      "of the machine can see it")("api-key-file",
                                   Name(key_file, "--api-key-file", "FILE"),
                                   "a file with a key in each line")(
      "cors-origin", Origins(&out->origins),
      "web pages of ORIGIN (https://example.org, or * for all) may ask; may be "
      "given several times");
}

void AddNameOptions(po::options_description& options, ServeOptions* out) {
  options.add_options()(
      "model-name", Several(&out->model_names, "--model-name", "NAME"),
      "what clients call the model; may be given several times, the first is "
      "told (default: the name of its file)")(
      "chat-template",
      Name(&out->chat_template_file, "--chat-template", "FILE"),
      "use the chat template in FILE");
}

void AddRunningOptions(po::options_description& options, ServeOptions* out) {
  options.add_options()(
      "shutdown-timeout",
      po::value<std::string>()->value_name("S")->notifier(
          [out](const std::string& text) {
            out->shutdown_timeout = std::chrono::seconds(
                ParseNumber(text, "--shutdown-timeout", 0, kMaxSeconds,
                            "a whole number from 0 to 86400"));
          }),
      "seconds that running answers have after SIGTERM (default 30)")(
      "log-format",
      po::value<std::string>()->value_name("FORMAT")->notifier(
          [out](const std::string& text) {
            out->log_format = ParseLogFormat(text);
          }),
      "lines of the log, on stderr: text (key=value) or json (default text)");
}

// Lines that are neither empty nor comments.
Words ReadKeys(const std::string& path) {
  Words keys;
  std::istringstream lines(ReadInput(path));
  for (std::string line; std::getline(lines, line);) {
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) {
      line.pop_back();
    }
    if (!line.empty() && line[0] != '#') keys.push_back(line);
  }
  if (keys.empty()) {
    throw Error(tern::ErrorCode::kMalformed,
                path + ": holds no key; write one in each line");
  }
  return keys;
}

}  // namespace

bool ParseServeOptions(const Arguments& arguments, ServeOptions* options) {
  std::string key_file;
  CommandLine line(
      {"tern serve [-m PATH] [--host ADDRESS] [--port N] [options]",
       "Answers HTTP requests in the manner of OpenAI's API, many at once, and "
       "has a\npage to chat at /. Prints the address that it listens on, and "
       "logs on stderr.\nSIGTERM or Ctrl-C ends it after the running answers, "
       "a "
       "second one at once.",
       "  tern serve --port 8080 --slots 16\n"
       "  curl http://127.0.0.1:8080/v1/completions \\\n"
       "    -H 'Content-Type: application/json' \\\n"
       "    -d '{\"prompt\": \"Once upon a time\", \"max_tokens\": 50}'"});
  AddModelOption(line.options(), &options->model);
  AddNameOptions(line.options(), options);
  AddListenOptions(line.options(), &options->listen);
  AddAccessOptions(line.options(), options, &key_file);
  AddSchedulerOptions(line.options(), options);
  AddRunningOptions(line.options(), options);
  AddComputeOptions(line.options(), &options->compute,
                    "positions of each text (default: the model's own)");
  // For requests that say nothing.
  AddSamplingOptions(line.options(), &options->sampling, nullptr);
  if (!line.Parse(arguments)) return false;
  if (!key_file.empty()) {
    for (std::string& key : ReadKeys(key_file)) {
      options->keys.push_back(std::move(key));
    }
  }
  return true;
}

}  // namespace tern::cli::serve
