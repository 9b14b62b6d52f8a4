// One pass of a scheduler: the tokens of many slots through the layers and the
// head together, and a choice for each text that wants one.
//
// One thread at a time, but for the flag that cuts a pass short.
#ifndef TERN_RUNTIME_SCHEDULER_BATCH_H_
#define TERN_RUNTIME_SCHEDULER_BATCH_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <tern/model.h>
#include <tern/tokenizer.h>

#include "runtime/aligned_buffer.h"
#include "runtime/forward/transformer.h"
#include "runtime/head/texts_head.h"
#include "runtime/parallel.h"
#include "runtime/scheduler/choose.h"
#include "runtime/scheduler/sequence.h"
#include "ternary_kernels/targets.h"

namespace tern {

// So many tokens of a slot, from its first that was not run.
struct BatchEntry {
  Slot* slot = nullptr;
  std::size_t tokens = 0;

  // All of the text is run then: what comes next?
  [[nodiscard]] bool WantsToken() const {
    return slot->num_run + tokens == slot->tokens.size();
  }
};

// What came of an entry.
struct BatchResult {
  Slot* slot = nullptr;
  bool has_choice = false;
  Choice choice;  // with an error also if there is no choice
};

class Batch {
 public:
  // For at most so many slots and tokens.
  Batch(std::shared_ptr<const Model> model, std::size_t slots,
        std::size_t max_tokens, int num_threads);
  static std::uint64_t Bytes(const Model& model, std::size_t slots,
                             std::size_t max_tokens, int num_threads);

  // Runs the entries, whose slots have num_run raised then, and leaves a result
  // for each in results().  False if `cut` was seen set: then nothing has
  // changed.  Throws Error (kInvalidArgument) if the target is another one now.
  bool Run(std::span<const BatchEntry> entries, const std::atomic<bool>& cut);
  [[nodiscard]] std::span<BatchResult> results() { return results_; }

 private:
  ForwardPass Pass(std::span<const TokenRun> runs = {},
                   const std::atomic<bool>* cut = nullptr) {
    return {model_->config(), model_->weights(), runs, work_, team_, cut};
  }
  bool RunLayers(std::span<const BatchEntry> entries,
                 const std::atomic<bool>& cut);
  void Gather(std::span<const BatchEntry> entries);
  void ComputeLogits();
  void Choose();

  // Who wants a token.
  struct Choosing {
    BatchResult* result = nullptr;
    std::size_t token = 0;             // of the pass, the text's last
    std::optional<HeadDemand> demand;  // of the head; nothing: all logits
  };

  Team team_;
  std::shared_ptr<const Model> model_;
  std::size_t rows_;  // of the head that are tokens
  const std::string target_ = kernels::ActiveTarget();
  Workspace work_;
  TextsHead head_;
  AlignedBuffer<float> last_;    // [choosing][hidden], after the final norm
  AlignedBuffer<float> logits_;  // [choosing][vocab]
  // Of each thread: what a constraint allows, [vocab].
  std::vector<std::vector<std::uint8_t>> allowed_;
  // Of the pass that runs:
  std::vector<TokenRun> runs_;
  std::vector<Token> tokens_;
  std::vector<BatchResult> results_;
  std::vector<Choosing> choosing_;
  std::vector<HeadDemand> demands_;  // of the last of choosing_
};

}  // namespace tern

#endif  // TERN_RUNTIME_SCHEDULER_BATCH_H_
