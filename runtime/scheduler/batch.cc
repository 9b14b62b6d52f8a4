#include "runtime/scheduler/batch.h"

#include <algorithm>
#include <utility>

#include "runtime/session_options.h"

namespace tern {
namespace {

// So many screens, a third of the head each, are read faster than the head once
// for all.
constexpr std::size_t kMostScreens = 2;

}  // namespace

Batch::Batch(std::shared_ptr<const Model> model, std::size_t slots,
             std::size_t max_tokens, int num_threads)
    : team_(num_threads),
      model_(std::move(model)),
      rows_(TokenRows(*model_)),
      work_(model_->config(), max_tokens, num_threads),
      head_(model_->weights(), slots),
      last_(slots * model_->config().hidden_size),
      logits_(slots * model_->config().vocab_size),
      allowed_(static_cast<std::size_t>(num_threads)) {
  runs_.reserve(slots);
  tokens_.reserve(max_tokens);
  results_.reserve(slots);
  choosing_.reserve(slots);
}

std::uint64_t Batch::Bytes(const Model& model, std::size_t slots,
                           std::size_t max_tokens, int num_threads) {
  const ModelConfig& config = model.config();
  return Workspace::Bytes(config, max_tokens, num_threads) +
         Head::Bytes(model.weights(), slots) +
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

// Notes what was run, and collects what the head is to read.
void Batch::Gather(std::span<const BatchEntry> entries) {
  results_.clear();
  choosing_.clear();
  const std::size_t hidden = model_->config().hidden_size;
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
    std::copy_n(work_.x.data() + (end - 1) * hidden, hidden,
                last_.data() + choosing_.size() * hidden);
    choosing_.push_back(&result);
  }
}

void Batch::ComputeLogits() {
  if (choosing_.empty()) return;
  const std::size_t hidden = model_->config().hidden_size;
  const std::size_t vocab = model_->config().vocab_size;
  // The head is read once for all.
  if (model_->weights().screen.rows == 0 || choosing_.size() > kMostScreens) {
    head_.All(Pass(), last_.data(), choosing_.size(), logits_.data());
    return;
  }
  for (std::size_t i = 0; i < choosing_.size(); ++i) {
    const Slot& slot = *choosing_[i]->slot;
    const GenerateRequest& request = slot.sequence->request;
    const float* x = last_.data() + i * hidden;
    float* logits = logits_.data() + i * vocab;
    if (NeedsAllLogits(request)) {
      head_.All(Pass(), x, 1, logits);
    } else {
      head_.ForSampling(Pass(), x, request.sampler, slot.tokens, rows_, logits);
    }
  }
}

// 16 choices among 128256 logits would take one thread several milliseconds.
void Batch::Choose() {
  const std::size_t vocab = model_->config().vocab_size;
  ParallelForEach(
      team_, choosing_.size(), [&](std::size_t i, std::size_t thread) {
        const Slot& slot = *choosing_[i]->slot;
        choosing_[i]->choice =
            ChooseToken(*slot.sequence, slot.tokens,
                        {logits_.data() + i * vocab, rows_}, allowed_[thread]);
      });
}

}  // namespace tern
