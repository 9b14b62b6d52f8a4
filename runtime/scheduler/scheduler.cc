// The public face of a scheduler.
#include <utility>

#include <tern/scheduler.h>

#include "runtime/out_of_memory.h"
#include "runtime/scheduler/scheduler_impl.h"

namespace tern {

Scheduler::Scheduler(std::shared_ptr<const Model> model,
                     const SchedulerOptions& options)
    : impl_(NamingSession(
          [&] { return std::make_unique<Impl>(std::move(model), options); })) {}
Scheduler::~Scheduler() {
  // Whatever the thread was changing at fork() may be half done: it stays.
  if (!impl_->IsOfThisProcess()) static_cast<void>(impl_.release());
}

Scheduler::Impl& Scheduler::Own() const {
  if (impl_->IsOfThisProcess()) return *impl_;
  throw Error(ErrorCode::kInvalidArgument,
              "scheduler: was made before fork(), and its thread did not come "
              "along into this process; make a new one here");
}

RequestId Scheduler::Submit(GenerateRequest request) {
  return NamingSession([&] { return Own().Submit(std::move(request)); });
}
void Scheduler::Cancel(RequestId id) { Own().Cancel(id); }
void Scheduler::CancelAll() { Own().CancelAll(); }
void Scheduler::Close() { Own().Close(); }
bool Scheduler::Drain(std::chrono::milliseconds most) {
  return Own().Drain(most);
}

SchedulerStatistics Scheduler::Statistics() const { return Own().Statistics(); }
const Model& Scheduler::model() const { return impl_->model(); }
std::size_t Scheduler::slots() const { return impl_->options().slots; }
std::size_t Scheduler::context_length() const {
  return impl_->options().context_length;
}
int Scheduler::num_threads() const { return impl_->options().num_threads; }

}  // namespace tern
