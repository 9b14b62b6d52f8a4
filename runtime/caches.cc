#include "runtime/caches.h"

#include <unistd.h>

namespace tern {

std::size_t L2CacheBytes() {
  constexpr std::size_t kUsual = std::size_t{512} << 10U;
  const auto bytes = sysconf(_SC_LEVEL2_CACHE_SIZE);  // 0 on Arm
  return bytes > 0 ? static_cast<std::size_t>(bytes) : kUsual;
}

}  // namespace tern
