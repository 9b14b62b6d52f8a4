// What the evaluator changes for a while and puts back, whatever happens.
#ifndef TERN_RUNTIME_CHAT_JINJA_EVALUATOR_STATE_H_
#define TERN_RUNTIME_CHAT_JINJA_EVALUATOR_STATE_H_

#include <string>
#include <utility>

#include "runtime/chat/jinja/evaluator.h"

namespace tern::jinja {

// One level of expressions or blocks: all of them together, through calls of
// macros too, take stack.
class Evaluator::Depth {
 public:
  explicit Depth(Evaluator& evaluator) : evaluator_(evaluator) {
    if (evaluator.depth_ >= kMaxRunDepth) {
      evaluator.budget_.Fail("calls itself more than " +
                             std::to_string(kMaxRunDepth) + " levels deep");
    }
    ++evaluator.depth_;
  }
  Depth(const Depth&) = delete;
  Depth& operator=(const Depth&) = delete;
  ~Depth() { --evaluator_.depth_; }

 private:
  Evaluator& evaluator_;
};

// A new scope for variables.
class Evaluator::ScopeGuard {
 public:
  explicit ScopeGuard(Evaluator& evaluator) : evaluator_(evaluator) {
    evaluator.scopes_.emplace_back();
  }
  ScopeGuard(const ScopeGuard&) = delete;
  ScopeGuard& operator=(const ScopeGuard&) = delete;
  ~ScopeGuard() { evaluator_.scopes_.pop_back(); }

 private:
  Evaluator& evaluator_;
};

// Output goes into a text of its own.
class Evaluator::Capture {
 public:
  explicit Capture(Evaluator& evaluator)
      : evaluator_(evaluator), outer_(std::exchange(evaluator.out_, &text_)) {}
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;
  ~Capture() { evaluator_.out_ = outer_; }

  MarkedText Take() { return std::move(text_); }

 private:
  Evaluator& evaluator_;
  MarkedText text_;
  MarkedText* outer_;
};

}  // namespace tern::jinja

#endif  // TERN_RUNTIME_CHAT_JINJA_EVALUATOR_STATE_H_
