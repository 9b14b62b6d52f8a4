// What stands between logits and the screen: sampler, stop strings, and the
// numbers of a command line.
#include <cmath>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include <tern/sampler.h>

#include "cli/options.h"
#include "cli/stop_filter.h"
#include "tests/fuzz/accepts.h"
#include "tests/fuzz/fuzz.h"

namespace tern::fuzz {
namespace {

SamplerOptions OptionsFrom(Input& input) {
  SamplerOptions options;
  const bool any = input.Flag();  // any bits at all, mostly refused
  const auto share = [&] {
    return any ? input.Number<float>()
               : static_cast<float>(input.Below(1001)) / 1000;
  };
  options.temperature = share() * (any ? 1 : 3);
  options.top_k = any ? input.Number<int>() : static_cast<int>(input.Below(9));
  options.top_p = share();
  options.min_p = share();
  options.repeat_last_n = static_cast<int>(input.Below(9)) - 2;
  options.repeat_penalty = share() * (any ? 1 : 2);
  options.presence_penalty = input.Number<float>();
  options.frequency_penalty = input.Number<float>();
  options.seed = input.Number<std::uint64_t>();
  return options;
}

void RunSampler(Input& input) {
  const SamplerOptions options = OptionsFrom(input);
  std::vector<float> logits(input.Below(200));
  for (float& logit : logits) {
    logit = input.Flag() ? input.Number<float>()
                         : static_cast<float>(input.Number<std::int8_t>());
  }
  std::vector<Token> context(input.Below(40));
  for (Token& token : context) {
    token = static_cast<Token>(input.Below(logits.size() + 2));
  }
  Accepts([&] {
    Sampler sampler(options);
    Sampler again(options);
    for (int i = 0; i < 3; ++i) {
      const Token token = sampler.Sample(logits, context);
      Check(token >= 0 && static_cast<std::size_t>(token) < logits.size(),
            "a token that has no logit");
      Check(logits[static_cast<std::size_t>(token)] >
                -std::numeric_limits<float>::infinity(),
            "a token of logit -infinity");
      Check(again.Sample(logits, context) == token, "the seed does not repeat");
    }
  });
}

// The text before the stop string that is complete first, by definition.
std::string StoppedText(const std::string& text,
                        const std::vector<std::string>& stops) {
  for (std::size_t end = 0; end <= text.size(); ++end) {
    const std::string_view seen = std::string_view(text).substr(0, end);
    std::size_t longest = 0;
    for (const std::string& stop : stops) {
      if (seen.ends_with(stop)) longest = std::max(longest, stop.size());
    }
    if (longest != 0) return text.substr(0, end - longest);
  }
  return text;
}

void RunStopFilter(Input& input) {
  std::vector<std::string> stops(1 + input.Below(3));
  for (std::string& stop : stops) {
    stop.resize(1 + input.Below(4));
    for (char& c : stop)
      c = static_cast<char>('a' + input.Number<std::uint8_t>() % 3);
  }
  std::string text(input.Rest().substr(0, 200));
  for (char& c : text)
    c = static_cast<char>('a' + static_cast<unsigned char>(c) % 3);
  cli::StopFilter filter(stops);
  std::string out;
  for (std::size_t at = 0, step = 1; at < text.size(); at += step) {
    step = 1 + static_cast<unsigned char>(input.Rest()[at]) % 7;
    out += filter.Push(std::string_view(text).substr(at, step));
  }
  out += filter.Flush();
  Check(out == StoppedText(text, stops), "a stop string");
}

template <class T>
void ParseOne(const std::string& text, T min, T max) {
  try {
    const T value = cli::ParseNumber<T>(text, "--n", min, max, "a number");
    Check(value >= min && value <= max, "a number outside its range");
  } catch (const cli::UsageError&) {
  }
}

void ParseNumbers(const std::string& text) {
  ParseOne<int>(text, 1, 1024);
  ParseOne<std::size_t>(text, 1, std::size_t{1} << 30);
  ParseOne<std::uint64_t>(text, 0, std::numeric_limits<std::uint64_t>::max());
  ParseOne<float>(text, 0, std::numeric_limits<float>::max());
  ParseOne<float>(text, std::numeric_limits<float>::denorm_min(), 1);
}

}  // namespace
}  // namespace tern::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  using namespace tern::fuzz;  // NOLINT(google-build-using-namespace)
  Input input(data, size);
  switch (input.Number<std::uint8_t>() % 3) {
    case 0:
      RunSampler(input);
      break;
    case 1:
      RunStopFilter(input);
      break;
    default:
      ParseNumbers(std::string(input.Rest()));
  }
  return 0;
}
