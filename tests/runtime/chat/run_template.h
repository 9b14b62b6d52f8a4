// Runs a template over variables given as JSON.
#ifndef TERN_TESTS_RUNTIME_CHAT_RUN_TEMPLATE_H_
#define TERN_TESTS_RUNTIME_CHAT_RUN_TEMPLATE_H_

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "runtime/chat/jinja/template.h"

namespace tern::jinja {

// Everything among `variables` counts as the caller's.
inline MarkedText RunTemplate(
    std::string_view text,
    const nlohmann::ordered_json& variables = nlohmann::ordered_json::object(),
    const Limits& limits = {}) {
  const auto make = [&](Budget& budget) {
    Members members;
    for (const auto& [name, value] : variables.items()) {
      members.emplace_back(MarkedText::Of(name, kFromTemplate),
                           FromJson(value, budget));
    }
    return members;
  };
  const Clock clock = [](const std::string& /*format*/) { return "now"; };
  return Template(text, "test.jinja").Run(make, clock, limits);
}

}  // namespace tern::jinja

#endif  // TERN_TESTS_RUNTIME_CHAT_RUN_TEMPLATE_H_
