// Who is using a session: so that a second thread gets an Error and not a race,
// and so does a process that fork() made.
#ifndef TERN_RUNTIME_SESSION_GUARD_H_
#define TERN_RUNTIME_SESSION_GUARD_H_

#include <atomic>
#include <sys/types.h>
#include <thread>

namespace tern {

// Any thread may call any function at any time.
class SessionGuard {
 public:
  // The session belongs to the process that makes it: threads do not survive
  // fork().
  SessionGuard();

  // A use of the session, over when this is destroyed.
  class Hold {
   public:
    explicit Hold(std::atomic<std::thread::id>* user) : user_(user) {}
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;
    ~Hold() {
      if (user_ != nullptr) user_->store({}, std::memory_order_release);
    }

   private:
    std::atomic<std::thread::id>* user_;  // null: a use within another one
  };

  // To compute or change.  Throws Error: kBusy if the session is in use, by
  // another thread or by the function that calls back; kInvalidArgument in a
  // process that fork() made.
  [[nodiscard]] Hold ToWork();
  // To look.  Throws Error (kBusy) if another thread is using the session.
  [[nodiscard]] Hold ToRead();

 private:
  std::atomic<std::thread::id> user_ = std::thread::id();
  pid_t process_;
};

}  // namespace tern

#endif  // TERN_RUNTIME_SESSION_GUARD_H_
