// The parameters of a request: JSON that is bounded in depth and width, and
// members taken by name and type, so that what nobody took is known to be
// unknown, and is refused.
#ifndef TERN_CLI_SERVE_REQUEST_FIELDS_H_
#define TERN_CLI_SERVE_REQUEST_FIELDS_H_

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "cli/text.h"

namespace tern::cli::serve {

// A JSON object.  Throws ApiError (400) for anything else: no JSON, bytes that
// are not UTF-8, nesting deeper than 64, an object with a name twice or with
// more than 1024 members (finding one takes time in proportion to them).
Json ParseObject(const std::string& body);

// The members of an object.  null counts as absent.  All functions throw
// ApiError (400) that names the parameter, with `prefix` before it.
class RequestFields {
 public:
  // `object` must outlive it.
  explicit RequestFields(const Json& object, std::string prefix = "");

  // nullptr: absent.
  const Json* Find(const std::string& name);
  std::optional<bool> Bool(const std::string& name);
  std::optional<std::int64_t> Integer(const std::string& name, std::int64_t min,
                                      std::int64_t max);
  std::optional<double> Number(const std::string& name, double min, double max);
  std::optional<std::string> String(const std::string& name);
  // A member that is an object; nullptr: absent.
  const Json* Object(const std::string& name);

  // These say nothing about the answer, whatever they are.
  void Accept(std::initializer_list<const char*> names);
  // These would change the answer: only values that mean "no" are accepted
  // (null, false, an empty array or object, and `harmless`).
  void Refuse(std::initializer_list<const char*> names,
              std::initializer_list<const char*> harmless = {});
  // To be called at the end: for names that nobody knows.
  void RefuseUnknown() const;

  [[nodiscard]] std::string Name(const std::string& name) const {
    return prefix_ + name;
  }

 private:
  const Json& object_;
  std::string prefix_;
  std::set<std::string> known_;
};

}  // namespace tern::cli::serve

#endif  // TERN_CLI_SERVE_REQUEST_FIELDS_H_
