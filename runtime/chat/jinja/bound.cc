#include <algorithm>

#include "runtime/chat/jinja/operations.h"
#include "runtime/files/quote.h"

namespace tern::jinja {

Bound::Bound(std::string function,
             const std::vector<std::string_view>& parameters,
             const Arguments& arguments, Budget& budget)
    : function_(std::move(function)),
      values_(parameters.size(), nullptr),
      budget_(&budget) {
  if (arguments.positional.size() > parameters.size()) {
    budget.FailUnknown(std::to_string(arguments.positional.size()) +
                       " arguments for " + files::Quote(function_));
  }
  for (std::size_t i = 0; i < arguments.positional.size(); ++i) {
    values_[i] = &arguments.positional[i];
  }
  for (const auto& [name, value] : arguments.named) {
    const auto found = std::find(parameters.begin(), parameters.end(), name);
    if (found == parameters.end()) {
      budget.FailUnknown("the argument " + files::Quote(name) + " of " +
                         files::Quote(function_));
    }
    const Value*& slot =
        values_[static_cast<std::size_t>(found - parameters.begin())];
    if (slot != nullptr) {
      budget.Fail(files::Quote(function_) + " is given " + files::Quote(name) +
                  " twice");
    }
    slot = &value;
  }
}

const Value& Bound::Get(std::size_t index) const {
  if (!Has(index)) {
    budget_->Fail(files::Quote(function_) + " is called without argument " +
                  std::to_string(index + 1));
  }
  return *values_[index];
}

const MarkedText& Bound::Text(std::size_t index) const {
  const MarkedText* text = AsText(Get(index));
  if (text == nullptr) {
    budget_->Fail(files::Quote(function_) + " is called with " +
                  KindOf(Get(index)) + " where a string has to be");
  }
  return *text;
}

std::int64_t Bound::Whole(std::size_t index, std::int64_t otherwise) const {
  if (!Has(index)) return otherwise;
  std::int64_t number = 0;
  if (!IsWhole(Get(index), &number)) {
    budget_->Fail(files::Quote(function_) + " is called with " +
                  KindOf(Get(index)) + " where a whole number has to be");
  }
  return number;
}

}  // namespace tern::jinja
