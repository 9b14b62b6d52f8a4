// Which chat template a model has, and the special tokens that it writes.
#ifndef TERN_RUNTIME_CHAT_FIND_TEMPLATE_H_
#define TERN_RUNTIME_CHAT_FIND_TEMPLATE_H_

#include <filesystem>
#include <optional>
#include <string>

#include <tern/chat.h>

namespace tern::chat {

struct FoundTemplate {
  // Absent: a base model; `description` says why.
  std::optional<std::string> text;
  std::string place;        // of the text, or of the model if there is none
  std::string description;  // for people
  TemplateTokens tokens;
};

// Throws Error for files that cannot be read.
FoundTemplate FindTemplate(const std::filesystem::path& model);

}  // namespace tern::chat

#endif  // TERN_RUNTIME_CHAT_FIND_TEMPLATE_H_
