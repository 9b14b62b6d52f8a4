// The control groups that the process is in, as Linux shows them: containers
// and services limit memory and processors there.
#ifndef TERN_RUNTIME_CONTROL_GROUP_H_
#define TERN_RUNTIME_CONTROL_GROUP_H_

#include <string>
#include <vector>

namespace tern {

// A limit may stand in the process's own group or in any above it.
struct ControlGroups {
  std::vector<std::string> v2;  // folders, own group first, root last
  std::vector<std::string> v1;  // the same below one controller's mount
};

// `controller` is "memory" or "cpu".
ControlGroups GroupsOf(const std::string& controller);

}  // namespace tern

#endif  // TERN_RUNTIME_CONTROL_GROUP_H_
