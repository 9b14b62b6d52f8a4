// What a Scheduler is made of: a queue, and a thread that serves it.
//
// Under mutex_ is what callers and the thread share: which requests there are,
// and the statistics.  Slots and the batch belong to the thread alone, and so
// no lock is held while a pass runs or a callback is called.
#ifndef TERN_RUNTIME_SCHEDULER_SCHEDULER_IMPL_H_
#define TERN_RUNTIME_SCHEDULER_SCHEDULER_IMPL_H_

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <sys/types.h>
#include <thread>
#include <vector>

#include <tern/scheduler.h>

#include "runtime/scheduler/batch.h"
#include "runtime/scheduler/sequence.h"
#include "runtime/scheduler/slot_pool.h"

namespace tern {

class Scheduler::Impl {
 public:
  Impl(std::shared_ptr<const Model> model, const SchedulerOptions& options);
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl();

  // In a child of fork() neither the thread is there nor may mutex_ be asked
  // for, which another thread can have held.
  [[nodiscard]] bool IsOfThisProcess() const;

  RequestId Submit(GenerateRequest request);
  void Cancel(RequestId id);
  void CancelAll();
  void Close();
  bool Drain(std::chrono::milliseconds most);
  [[nodiscard]] SchedulerStatistics Statistics() const;
  [[nodiscard]] const Model& model() const { return *model_; }
  [[nodiscard]] const SchedulerOptions& options() const { return options_; }

 private:
  // On the callers' threads.
  void CheckRequest(const GenerateRequest& request) const;
  RequestId Enqueue(const std::shared_ptr<Sequence>& sequence);

  // On the scheduler's.
  void Serve();
  bool WaitForWork();
  void EndCancelled();
  void Admit();
  bool AdmitFirst();
  void RunPass();
  void PlanDecoding();
  void PlanPrompts();
  void Deliver(BatchResult& result);
  std::optional<FinishReason> GiveToken(Slot& slot, const Choice& choice);
  void EndInSlot(Slot& slot, FinishReason reason,
                 const std::optional<Error>& error = std::nullopt);
  void End(const std::shared_ptr<Sequence>& sequence, FinishReason reason,
           const std::optional<Error>& error = std::nullopt);
  void CountPass();

  pid_t process_;  // that has the thread
  std::shared_ptr<const Model> model_;
  SchedulerOptions options_;  // with nothing left open
  SlotPool pool_;
  std::unique_ptr<Batch> batch_;
  std::vector<BatchEntry> entries_;  // of the next pass
  std::vector<BatchEntry> prompts_;  // of it, while they are planned

  mutable std::mutex mutex_;
  std::condition_variable work_;    // for the thread
  std::condition_variable nobody_;  // for Drain
  // All requests that have not ended, and those without a slot in order.
  std::map<RequestId, std::shared_ptr<Sequence>> requests_;
  std::deque<std::shared_ptr<Sequence>> waiting_;
  RequestId next_id_ = 1;
  SchedulerStatistics statistics_;
  bool is_ending_ = false;  // a request: its on_end is being called
  bool is_closed_ = false;
  bool is_over_ = false;
  std::atomic<bool> cut_ = false;  // the pass that runs is of no use

  std::thread thread_;  // last, so that it sees all of the above
};

}  // namespace tern

#endif  // TERN_RUNTIME_SCHEDULER_SCHEDULER_IMPL_H_
