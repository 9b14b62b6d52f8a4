#include "runtime/tokenizer/dummy_prefix.h"

#include <array>

namespace tern::tokenizer {
namespace {

struct Form {
  std::string_view name;
  DummyPrefix prefix;
};

constexpr std::array<Form, 3> kForms = {{
    {.name = "first",
     .prefix = {.added = true, .first_only = true, .unless_space = false}},
    {.name = "metaspace-first",
     .prefix = {.added = true, .first_only = true, .unless_space = true}},
    {.name = "metaspace-always",
     .prefix = {.added = true, .first_only = false, .unless_space = true}},
}};

}  // namespace

std::optional<DummyPrefix> DummyPrefixByName(std::string_view name) {
  for (const Form& form : kForms) {
    if (form.name == name) return form.prefix;
  }
  return std::nullopt;
}

std::optional<std::string_view> NameOf(const DummyPrefix& prefix) {
  for (const Form& form : kForms) {
    if (form.prefix == prefix) return form.name;
  }
  return std::nullopt;
}

}  // namespace tern::tokenizer
