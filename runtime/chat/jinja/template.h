// A Jinja template, ready to run: the subset of Jinja that chat templates use,
// strictly.  Whatever is not known is refused with an Error that names the line
// and the construct, and every run ends within the limits of budget.h.
#ifndef TERN_RUNTIME_CHAT_JINJA_TEMPLATE_H_
#define TERN_RUNTIME_CHAT_JINJA_TEMPLATE_H_

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "runtime/chat/jinja/budget.h"
#include "runtime/chat/jinja/evaluator.h"
#include "runtime/chat/jinja/marked_text.h"
#include "runtime/chat/jinja/syntax.h"

namespace tern::jinja {

// Immutable: any number of threads may run one at once.
class Template {
 public:
  // `place` begins every Error: a file's name and the key, if there is one.
  Template(std::string_view source, std::string place);

  // Makes the variables, which share the run's budget.
  using Variables = std::function<Members(Budget& budget)>;
  // Throws Error: kUnsupported for what is not known or beyond the limits,
  // kMalformed for what has no meaning, kInvalidArgument for what the template
  // itself refuses (raise_exception).
  [[nodiscard]] MarkedText Run(const Variables& variables, const Clock& clock,
                               const Limits& limits = {}) const;

 private:
  std::string place_;
  std::shared_ptr<const Block> block_;
};

// A value of the caller's: all of its bytes are kFromCaller.
Value FromJson(const nlohmann::ordered_json& json, Budget& budget);

}  // namespace tern::jinja

#endif  // TERN_RUNTIME_CHAT_JINJA_TEMPLATE_H_
