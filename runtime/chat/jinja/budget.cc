#include "runtime/chat/jinja/budget.h"

namespace tern::jinja {

void Fail(ErrorCode code, const std::string& place, int line,
          const std::string& what) {
  throw Error(code, place + ", line " + std::to_string(line) + ": " + what);
}

void FailUnknown(const std::string& place, int line,
                 const std::string& construct) {
  jinja::Fail(ErrorCode::kUnsupported, place, line,
              "the chat template uses " + construct +
                  ", which tern does not know; give one with --chat-template "
                  "FILE or use tern run");
}

void Budget::Step(std::size_t count) {
  if (count > limits_.steps - steps_) {
    jinja::Fail(ErrorCode::kUnsupported, place_, line_,
                "the chat template takes more than " +
                    std::to_string(limits_.steps) +
                    " steps; give one that ends with --chat-template FILE");
  }
  steps_ += count;
}

void Budget::Charge(std::size_t bytes) {
  Step(1 + bytes / 1024);
  if (bytes > limits_.value_bytes - bytes_) {
    jinja::Fail(ErrorCode::kUnsupported, place_, line_,
                "the chat template needs more than " +
                    std::to_string(limits_.value_bytes >> 20) +
                    " MiB; shorten the conversation or give another template "
                    "with --chat-template FILE");
  }
  bytes_ += bytes;
}

void Budget::CheckOutput(std::size_t bytes) const {
  if (bytes <= limits_.output_bytes) return;
  jinja::Fail(ErrorCode::kUnsupported, place_, line_,
              "the chat template writes more than " +
                  std::to_string(limits_.output_bytes) +
                  " bytes; shorten the conversation or give another template "
                  "with --chat-template FILE");
}

void Budget::Fail(const std::string& what) const {
  jinja::Fail(ErrorCode::kMalformed, place_, line_,
              what + "; give a template that works with --chat-template FILE");
}

void Budget::FailUnknown(const std::string& construct) const {
  jinja::FailUnknown(place_, line_, construct);
}

void Budget::FailByTemplate(const std::string& message) const {
  jinja::Fail(ErrorCode::kInvalidArgument, place_, line_,
              "the chat template refuses the conversation: " + message +
                  "; change the messages");
}

}  // namespace tern::jinja
