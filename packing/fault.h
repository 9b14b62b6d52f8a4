// What is wrong with stored bytes.  packing/ knows neither files nor tensor
// names, so its readers return a Fault and the caller adds the place.
#ifndef TERN_PACKING_FAULT_H_
#define TERN_PACKING_FAULT_H_

#include <cstddef>
#include <optional>
#include <string>

namespace tern::packing {

struct Fault {
  std::string what;        // "code 3, which no ternary weight has"
  std::size_t offset = 0;  // byte within the tensor's data
};

// Empty: all is well.
using MaybeFault = std::optional<Fault>;

}  // namespace tern::packing

#endif  // TERN_PACKING_FAULT_H_
