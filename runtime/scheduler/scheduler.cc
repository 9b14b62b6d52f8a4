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
Scheduler::~Scheduler() = default;

RequestId Scheduler::Submit(GenerateRequest request) {
  return NamingSession([&] { return impl_->Submit(std::move(request)); });
}
void Scheduler::Cancel(RequestId id) { impl_->Cancel(id); }
void Scheduler::CancelAll() { impl_->CancelAll(); }
void Scheduler::Close() { impl_->Close(); }
bool Scheduler::Drain(std::chrono::milliseconds most) {
  return impl_->Drain(most);
}

SchedulerStatistics Scheduler::Statistics() const {
  return impl_->Statistics();
}
const Model& Scheduler::model() const { return impl_->model(); }
std::size_t Scheduler::slots() const { return impl_->options().slots; }
std::size_t Scheduler::context_length() const {
  return impl_->options().context_length;
}
int Scheduler::num_threads() const { return impl_->options().num_threads; }

}  // namespace tern
