#include "runtime/memory.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <limits>
#include <sys/resource.h>

#include <tern/error.h>

#include "runtime/control_group.h"
#include "runtime/forward/transformer.h"
#include "runtime/kv_cache.h"

namespace tern {
namespace {

constexpr std::uint64_t kUnlimited = std::numeric_limits<std::uint64_t>::max();

// The first number in a file, or kUnlimited ("max", no such file).
std::uint64_t NumberIn(const std::string& path) {
  std::ifstream file(path);
  std::uint64_t number = 0;
  return file >> number ? number : kUnlimited;
}

std::uint64_t SystemAvailable() {
  std::ifstream file("/proc/meminfo");
  std::string key;
  std::uint64_t kib = 0;
  std::string unit;
  while (file >> key >> kib) {
    if (key == "MemAvailable:") return kib * 1024;
    std::getline(file, unit);
  }
  return kUnlimited;
}

std::uint64_t Left(std::uint64_t limit, std::uint64_t used) {
  if (limit == kUnlimited || used == kUnlimited) return kUnlimited;
  return limit > used ? limit - used : 0;
}

// Page cache of a group, which the system takes back when it is needed.
std::uint64_t ReclaimableBytes(const std::string& stat, const char* prefix) {
  std::ifstream file(stat);
  std::string key;
  std::uint64_t value = 0;
  std::uint64_t sum = 0;
  while (file >> key >> value) {
    if (key == std::string(prefix) + "inactive_file" ||
        key == std::string(prefix) + "active_file") {
      sum += value;
    }
  }
  return sum;
}

// What the process's own control group and those above it leave.
std::uint64_t GroupAvailable() {
  std::uint64_t least = kUnlimited;
  const auto look = [&](const std::string& folder, const char* limit,
                        const char* usage, const char* prefix) {
    const std::uint64_t used = NumberIn(folder + usage);
    const std::uint64_t cache =
        ReclaimableBytes(folder + "/memory.stat", prefix);
    if (used == kUnlimited) return;
    least = std::min(least, Left(NumberIn(folder + limit), Left(used, cache)));
  };
  const ControlGroups groups = GroupsOf("memory");
  for (const std::string& folder : groups.v2) {
    look(folder, "/memory.max", "/memory.current", "");
  }
  for (const std::string& folder : groups.v1) {
    look(folder, "/memory.limit_in_bytes", "/memory.usage_in_bytes", "total_");
  }
  return least;
}

std::uint64_t AddressSpaceAvailable() {
  rlimit limit{};
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) {
    return kUnlimited;
  }
  std::ifstream file("/proc/self/statm");  // pages
  std::uint64_t pages = 0;
  file >> pages;
  return Left(limit.rlim_cur, pages * 4096);
}

std::string Megabytes(std::uint64_t bytes) {
  return std::to_string((bytes + (1U << 20U) - 1) >> 20U) + " MiB";
}

}  // namespace

std::uint64_t AvailableMemory() {
  return std::min(
      {SystemAvailable(), GroupAvailable(), AddressSpaceAvailable()});
}

void RequireMemory(std::uint64_t bytes, const std::string& what,
                   const std::string& advice) {
  const std::uint64_t available = AvailableMemory();
  if (bytes <= available) return;
  throw Error(ErrorCode::kOutOfMemory,
              what + ": needs " + Megabytes(bytes) + " of memory, but only " +
                  Megabytes(available) + " are free; " + advice);
}

std::uint64_t CacheBytes(const ModelConfig& config, std::size_t context_length,
                         KvType type) {
  return KvCache::Bytes(config, context_length, type);
}

std::uint64_t SessionScratchBytes(const ModelConfig& config,
                                  std::size_t context_length, int num_threads) {
  return Workspace::Bytes(config, std::min(context_length, kPrefillChunk),
                          num_threads);
}

}  // namespace tern
