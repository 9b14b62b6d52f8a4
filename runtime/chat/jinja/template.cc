#include "runtime/chat/jinja/template.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "runtime/chat/jinja/parser.h"

namespace tern::jinja {

Template::Template(std::string_view source, std::string place)
    : place_(std::move(place)),
      block_(std::make_shared<const Block>(Parse(source, place_))) {}

MarkedText Template::Run(const Variables& variables, const Clock& clock,
                         const Limits& limits) const {
  Budget budget(place_, limits);
  return Evaluator(variables(budget), clock, budget).Run(*block_);
}

Value FromJson(const nlohmann::ordered_json& json, Budget& budget) {
  if (json.is_null()) return None{};
  if (json.is_boolean()) return json.get<bool>();
  if (json.is_number_unsigned() && json.get<std::uint64_t>() > std::uint64_t{1}
                                                                   << 62) {
    budget.Fail("is given a number beyond 64 bits");
  }
  if (json.is_number_integer()) return json.get<std::int64_t>();
  if (json.is_number()) return json.get<double>();
  if (json.is_string()) {
    return MakeText(
        MarkedText::Of(json.get_ref<const std::string&>(), kFromCaller),
        budget);
  }
  if (json.is_array()) {
    Values items;
    for (const auto& item : json) items.push_back(FromJson(item, budget));
    return MakeList(std::move(items), budget);
  }
  Members members;
  for (const auto& [key, value] : json.items()) {
    members.emplace_back(MarkedText::Of(key, kFromCaller),
                         FromJson(value, budget));
  }
  return MakeDict(std::move(members), budget);
}

}  // namespace tern::jinja
