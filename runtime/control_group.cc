#include "runtime/control_group.h"

#include <fstream>

namespace tern {
namespace {

// `mount` + "/a/b", `mount` + "/a", `mount`.
std::vector<std::string> Upwards(const std::string& mount, std::string group) {
  std::vector<std::string> folders;
  while (group.size() > 1) {
    folders.push_back(mount + group);
    group.resize(group.rfind('/'));
  }
  folders.push_back(mount);
  return folders;
}

// Is `name` one of the words of "cpu,cpuacct"?
bool HasController(const std::string& list, const std::string& name) {
  return ("," + list + ",").find("," + name + ",") != std::string::npos;
}

}  // namespace

ControlGroups GroupsOf(const std::string& controller) {
  std::string v2 = "/";
  std::string v1 = "/";
  std::ifstream file("/proc/self/cgroup");
  // HIERARCHY:CONTROLLERS:PATH, hierarchy 0 is version 2
  for (std::string line; std::getline(file, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (second == std::string::npos || second + 1 >= line.size()) continue;
    const std::string path = line.substr(second + 1);
    if (path.front() != '/') continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    if (controllers.empty()) v2 = path;
    if (HasController(controllers, controller)) v1 = path;
  }
  return {Upwards("/sys/fs/cgroup", v2),
          Upwards("/sys/fs/cgroup/" + controller, v1)};
}

}  // namespace tern
