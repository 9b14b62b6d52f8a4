#include "runtime/session_guard.h"

#include <unistd.h>

#include <tern/error.h>

namespace tern {

SessionGuard::SessionGuard() : process_(getpid()) {}

SessionGuard::Hold SessionGuard::ToWork() {
  if (getpid() != process_) {
    throw Error(ErrorCode::kInvalidArgument,
                "session: was made before fork(), and its threads did not come "
                "along into this process; make a new session, or go on with "
                "its Fork()");
  }
  std::thread::id user;
  if (user_.compare_exchange_strong(user, std::this_thread::get_id(),
                                    std::memory_order_acquire)) {
    return Hold(&user_);
  }
  throw Error(ErrorCode::kBusy,
              user == std::this_thread::get_id()
                  ? "session: is in use by the call that called back; wait "
                    "until that one returns"
                  : "session: is in use by another thread; give each thread "
                    "a session of its own, or let them take turns");
}

SessionGuard::Hold SessionGuard::ToRead() {
  std::thread::id user;
  if (user_.compare_exchange_strong(user, std::this_thread::get_id(),
                                    std::memory_order_acquire)) {
    return Hold(&user_);
  }
  // After fork() the number of a thread may come again.
  if (user == std::this_thread::get_id() && getpid() == process_) {
    return Hold(nullptr);
  }
  throw Error(ErrorCode::kBusy,
              "session: is in use by another thread; give each thread a "
              "session of its own, or let them take turns");
}

}  // namespace tern
