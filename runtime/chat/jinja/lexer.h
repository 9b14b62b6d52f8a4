// Cuts a template into text and the words of its tags, with the white space
// around tags already taken away: as Jinja does with trim_blocks and
// lstrip_blocks, which is how transformers runs chat templates.
#ifndef TERN_RUNTIME_CHAT_JINJA_LEXER_H_
#define TERN_RUNTIME_CHAT_JINJA_LEXER_H_

#include <string>
#include <string_view>
#include <vector>

namespace tern::jinja {

enum class LexemeKind {
  kText,         // between tags
  kOutputBegin,  // {{
  kOutputEnd,    // }}
  kBlockBegin,   // {%
  kBlockEnd,     // %}
  kName,
  kString,  // its value, without quotes and escapes
  kInteger,
  kFloat,
  kOperator,
  kEnd,
};

struct Lexeme {
  LexemeKind kind = LexemeKind::kEnd;
  std::string text;
  int line = 1;
};

// The last lexeme is kEnd.  Throws Error that begins with `place`.
std::vector<Lexeme> CutTemplate(std::string_view source,
                                const std::string& place);

}  // namespace tern::jinja

#endif  // TERN_RUNTIME_CHAT_JINJA_LEXER_H_
