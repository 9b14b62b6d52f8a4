#include "runtime/scheduler/batch.h"

#include <algorithm>
#include <utility>

#include "runtime/head/demand.h"
#include "runtime/session_options.h"

namespace tern {

Batch::Batch(std::shared_ptr<const Model> model, std::size_t slots,
             std::size_t max_tokens, int num_threads)
    : team_(num_threads),
      model_(std::move(model)),
      rows_(TokenRows(*model_)),
      work_(model_->config(), max_tokens, num_threads),
      head_(model_->weights(), slots, team_),
      last_(slots * model_->config().hidden_size),
      logits_(slots * model_->config().vocab_size),
      allowed_(static_cast<std::size_t>(num_threads)) {
  runs_.reserve(slots);
  tokens_.reserve(max_tokens);
  results_.reserve(slots);
  choosing_.reserve(slots);
  demands_.reserve(slots);
}

std::uint64_t Batch::Bytes(const Model& model, std::size_t slots,
                           std::size_t max_tokens, int num_threads) {
  const ModelConfig& config = model.config();
  return Workspace::Bytes(config, max_tokens, num_threads) +
         TextsHead::Bytes(model.weights(), slots,
                          static_cast<std::size_t>(num_threads)) +
         slots * (config.hidden_size + config.vocab_size) * sizeof(float) +
         static_cast<std::uint64_t>(num_threads) * config.vocab_size;
}

bool Batch::Run(std::span<const BatchEntry> entries,
                const std::atomic<bool>& cut) {
  RequireTarget("scheduler", target_);
  if (!RunLayers(entries, cut)) return false;
  Gather(entries);
  ComputeLogits();
  Choose();
  return true;
}

bool Batch::RunLayers(std::span<const BatchEntry> entries,
                      const std::atomic<bool>& cut) {
  runs_.clear();
  tokens_.clear();
  for (const BatchEntry& entry : entries) {
    const Slot& slot = *entry.slot;
    runs_.push_back({slot.cache.get(), slot.num_run, entry.tokens});
    const auto first =
        slot.tokens.begin() + static_cast<std::ptrdiff_t>(slot.num_run);
    tokens_.insert(tokens_.end(), first,
                   first + static_cast<std::ptrdiff_t>(entry.tokens));
  }
  if (RunTokens(Pass(runs_, &cut), tokens_)) return true;
  for (const TokenRun& run : runs_) (void)run.cache->TakeUnfit();
  return false;
}

// Notes what was run, and who wants a choice: those that need all logits first.
void Batch::Gather(std::span<const BatchEntry> entries) {
  results_.clear();
  choosing_.clear();
  std::size_t end = 0;
  for (const BatchEntry& entry : entries) {
    end += entry.tokens;
    BatchResult& result = results_.emplace_back();  // room was reserved
    result.slot = entry.slot;
    if (entry.slot->cache->TakeUnfit()) {
      result.choice.error = UnfitCache("scheduler");
      continue;
    }
    result.has_choice = entry.WantsToken();
    entry.slot->num_run += entry.tokens;
    if (!result.has_choice) continue;
    const GenerateRequest& request = entry.slot->sequence->request;
    Choosing choosing{&result, end - 1, std::nullopt};
    if (!NeedsAllLogits(request)) {
      choosing.demand = DemandOf(request.sampler, entry.slot->tokens, rows_);
    }
    choosing_.push_back(choosing);
  }
  std::partition(choosing_.begin(), choosing_.end(),
                 [](const Choosing& c) { return !c.demand; });
}

void Batch::ComputeLogits() {
  const std::size_t hidden = model_->config().hidden_size;
  demands_.clear();
  for (std::size_t i = 0; i < choosing_.size(); ++i) {
    const Choosing& choosing = choosing_[i];
    std::copy_n(work_.x.data() + choosing.token * hidden, hidden,
                last_.data() + i * hidden);
    if (choosing.demand) demands_.push_back(*choosing.demand);
  }
  head_.Logits(Pass(), last_.data(), choosing_.size(), demands_,
               logits_.data());
}

// 16 choices among 128256 logits would take one thread several milliseconds.
void Batch::Choose() {
  const std::size_t vocab = model_->config().vocab_size;
  ParallelForEach(
      team_, choosing_.size(), [&](std::size_t i, std::size_t thread) {
        BatchResult& result = *choosing_[i].result;
        const Slot& slot = *result.slot;
        result.choice =
            ChooseToken(*slot.sequence, slot.tokens,
                        {logits_.data() + i * vocab, rows_}, allowed_[thread]);
      });
}

}  // namespace tern
