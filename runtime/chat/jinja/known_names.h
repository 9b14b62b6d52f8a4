// The filters, tests and members that are known: asked while parsing, so that
// a template with another one is refused before it runs.
#ifndef TERN_RUNTIME_CHAT_JINJA_KNOWN_NAMES_H_
#define TERN_RUNTIME_CHAT_JINJA_KNOWN_NAMES_H_

#include <string_view>

namespace tern::jinja {

[[nodiscard]] bool IsKnownFilter(std::string_view name);
[[nodiscard]] bool IsKnownTest(std::string_view name);
// True for `x is eq 1`, whose value needs no brackets.
[[nodiscard]] bool TestTakesValue(std::string_view name);
[[nodiscard]] bool IsKnownLoopMember(std::string_view name);

}  // namespace tern::jinja

#endif  // TERN_RUNTIME_CHAT_JINJA_KNOWN_NAMES_H_
