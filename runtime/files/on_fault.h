// Readers that can go on after something wrong tell it to an OnFault: loading
// throws the first fault, `tern inspect` collects all of them.  One reader, two
// ways to hear of its faults.
#ifndef TERN_RUNTIME_FILES_ON_FAULT_H_
#define TERN_RUNTIME_FILES_ON_FAULT_H_

#include <functional>
#include <set>
#include <string>
#include <vector>

#include <tern/error.h>

namespace tern::files {

// Called with each fault, in the order in which a reader that stops at the
// first would find them.  May throw; if it returns, the reader goes on.
using OnFault = std::function<void(const Error& fault)>;

// The default.
[[noreturn]] inline void ThrowFault(const Error& fault) { throw Error(fault); }

// Calls `read`, and hands an Error that it throws to `on_fault`.  True if it
// threw none.
template <class Read>
bool Reporting(const OnFault& on_fault, const Read& read) {
  try {
    read();
    return true;
  } catch (const Error& fault) {
    on_fault(fault);
    return false;
  }
}

// All faults, each message once: what one reader has told, the next one that
// looks at the same place may tell again.
class FaultList {
 public:
  void Add(const Error& fault) {
    if (messages_.insert(fault.what()).second) faults_.push_back(fault);
  }
  // Valid as long as the list.
  [[nodiscard]] OnFault Sink() {
    return [this](const Error& fault) { Add(fault); };
  }
  [[nodiscard]] const std::vector<Error>& faults() const { return faults_; }

 private:
  std::vector<Error> faults_;
  std::set<std::string> messages_;
};

}  // namespace tern::files

#endif  // TERN_RUNTIME_FILES_ON_FAULT_H_
