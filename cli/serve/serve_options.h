// The command line of `tern serve`.
#ifndef TERN_CLI_SERVE_SERVE_OPTIONS_H_
#define TERN_CLI_SERVE_SERVE_OPTIONS_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <tern/embedding.h>
#include <tern/sampler.h>

#include "cli/options.h"
#include "cli/serve/listener.h"
#include "cli/serve/log.h"

namespace tern::cli::serve {

struct ServeOptions {
  std::string model;
  std::vector<std::string> model_names;  // empty: the file's name
  std::string chat_template_file;
  ComputeOptions compute;
  // OpenAI's defaults: what the model itself would say.
  SamplerOptions sampling{
      .temperature = 1, .top_k = 0, .top_p = 1, .repeat_last_n = -1};
  Pooling pooling = Pooling::kLast;
  std::size_t slots = 8;
  std::size_t max_waiting = 64;
  std::uint64_t cache_mib = 0;  // 0: as the scheduler likes
  ListenOptions listen;
  std::vector<std::string> keys;
  std::vector<std::string> origins;
  std::chrono::seconds shutdown_timeout{30};
  LogFormat log_format = LogFormat::kText;
};

// False if --help was asked for.  Throws UsageError, and Error for a key file.
bool ParseServeOptions(const Arguments& arguments, ServeOptions* options);

}  // namespace tern::cli::serve

#endif  // TERN_CLI_SERVE_SERVE_OPTIONS_H_
