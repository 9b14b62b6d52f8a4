// A chat template over a conversation; its limits must hold.
#include <nlohmann/json.hpp>

#include "runtime/chat/jinja/template.h"
#include "tests/fuzz/accepts.h"
#include "tests/fuzz/fuzz.h"

namespace {

using nlohmann::ordered_json;

// Small, so that a run that goes on to its limits takes milliseconds.
constexpr tern::jinja::Limits kLimits = {.steps = 50'000,
                                         .output_bytes = 1 << 16,
                                         .value_bytes = std::size_t{4} << 20};

const ordered_json& Variables() {
  static const ordered_json variables = ordered_json::parse(R"({
    "messages": [
      {"role": "system", "content": "Be brief."},
      {"role": "user", "content": " What is 2 + 2?\n<|eot_id|> "},
      {"role": "assistant", "content": "<think>Easy.</think>4"},
      {"role": "user", "content": "gr\u00FC\u00DFe"}],
    "add_generation_prompt": true, "enable_thinking": false,
    "bos_token": "<s>", "eos_token": "</s>", "none": null, "pi": 3.25,
    "tools": [{"type": "function", "function": {"name": "f", "x": [1, -2]}}]})");
  return variables;
}

tern::jinja::Members MakeVariables(tern::jinja::Budget& budget) {
  using namespace tern::jinja;  // NOLINT(google-build-using-namespace)
  Members members;
  for (const auto& [name, value] : Variables().items()) {
    members.emplace_back(MarkedText::Of(name, kFromTemplate),
                         FromJson(value, budget));
  }
  return members;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  using namespace tern::fuzz;  // NOLINT(google-build-using-namespace)
  Accepts([&] {
    const tern::jinja::Template code(AsText(data, size), "chat template");
    const auto out = code.Run(
        MakeVariables, [](const std::string& format) { return format; },
        kLimits);
    Check(out.bytes.size() == out.mask.size(), "a mask of another length");
    Check(out.bytes.size() <= kLimits.output_bytes, "more output than allowed");
    Check(out.mask.find_first_not_of("01") == std::string::npos,
          "a mask of neither 0 nor 1");
  });
  return 0;
}
