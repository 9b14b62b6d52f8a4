// Text of a template -> its statements.  Recursive descent, with the precedence
// of Jinja: filters and tests bind tightest, then * /, then ~, then + -, then
// comparisons, not, and, or, and `a if b else c`.
#ifndef TERN_RUNTIME_CHAT_JINJA_PARSER_H_
#define TERN_RUNTIME_CHAT_JINJA_PARSER_H_

#include <string>
#include <string_view>

#include "runtime/chat/jinja/syntax.h"

namespace tern::jinja {

// Throws Error that begins with `place` and names the line: kMalformed for what
// is no template, kUnsupported for a construct that is not known here.
Block Parse(std::string_view source, const std::string& place);

}  // namespace tern::jinja

#endif  // TERN_RUNTIME_CHAT_JINJA_PARSER_H_
