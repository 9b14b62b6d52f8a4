// Where a template is being read or run, for its Errors, and how much it may
// still do: a template comes with a model from anywhere, so it has to end, in
// bounded memory, whatever it says.
#ifndef TERN_RUNTIME_CHAT_JINJA_BUDGET_H_
#define TERN_RUNTIME_CHAT_JINJA_BUDGET_H_

#include <cstddef>
#include <string>
#include <utility>

#include <tern/error.h>

namespace tern::jinja {

struct Limits {
  // A conversation of a thousand messages takes some 50,000 steps.
  std::size_t steps = 4'000'000;
  std::size_t output_bytes = std::size_t{16} << 20;
  // Of all values that a run makes, together, kept or not.
  std::size_t value_bytes = std::size_t{512} << 20;
};

inline constexpr std::size_t kMaxTemplateBytes = std::size_t{1} << 20;
inline constexpr int kMaxSyntaxDepth = 200;  // of expressions and blocks
inline constexpr int kMaxRunDepth = 800;     // of them through macro calls
inline constexpr int kMaxValueDepth = 100;   // of lists and dicts

// "PLACE, line N: what": the one way in which templates fail.
[[noreturn]] void Fail(ErrorCode code, const std::string& place, int line,
                       const std::string& what);
// For what is correct Jinja maybe, but not known here.
[[noreturn]] void FailUnknown(const std::string& place, int line,
                              const std::string& construct);

class Budget {
 public:
  Budget(std::string place, const Limits& limits)
      : place_(std::move(place)), limits_(limits) {}

  // The line that runs now.
  void SetLine(int line) { line_ = line; }
  [[nodiscard]] int line() const { return line_; }

  // Counts work; throws Error beyond the limits.
  void Step(std::size_t count = 1);
  void Charge(std::size_t bytes);
  void CheckOutput(std::size_t bytes) const;

  // The template asks for something without a meaning.
  [[noreturn]] void Fail(const std::string& what) const;
  [[noreturn]] void FailUnknown(const std::string& construct) const;
  // The template refuses the conversation.
  [[noreturn]] void FailByTemplate(const std::string& message) const;

 private:
  std::string place_;
  Limits limits_;
  int line_ = 1;
  std::size_t steps_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace tern::jinja

#endif  // TERN_RUNTIME_CHAT_JINJA_BUDGET_H_
