#include "runtime/head/head.h"

#include <optional>

#include <tern/error.h>

#include "runtime/head/demand.h"

namespace tern {

HeadForm ResolveHead(HeadForm asked, bool is_ternary, kernels::DenseType stored,
                     const std::string& place) {
  const auto refuse = [&](const std::string& what) {
    throw Error(ErrorCode::kInvalidArgument,
                place + ": the output head " + what +
                    "; take it as stored (f16 or auto)");
  };
  switch (asked) {
    case HeadForm::kAuto:
    case HeadForm::kAsStored:
      return HeadForm::kAsStored;
    case HeadForm::kQ8:
      if (is_ternary) refuse("is ternary, int8 would be four times as large");
      // Eight bits a weight already.
      return kernels::IsFloat(stored) ? HeadForm::kQ8 : HeadForm::kAsStored;
    case HeadForm::kScreened:
      if (is_ternary) refuse("is ternary, a screen would be larger than it");
      if (!kernels::IsFloat(stored)) {
        refuse("has 8 bits a weight already, a screen would save little");
      }
      return HeadForm::kScreened;
  }
  return HeadForm::kAsStored;
}

std::uint64_t HeadFormBytes(HeadForm form, std::size_t rows, std::size_t cols) {
  switch (form) {
    case HeadForm::kQ8:
      return Int8Rows::Bytes(rows, cols);
    case HeadForm::kScreened:
      return ScreenRows::Bytes(rows, cols);
    case HeadForm::kAuto:
    case HeadForm::kAsStored:
      break;
  }
  return 0;
}

void MakeHead(HeadForm form, Weights& weights, Team& team) {
  const kernels::DenseView stored = weights.Head().dense.View();
  if (form == HeadForm::kQ8) {
    weights.int8_head = MakeInt8Rows(stored, team);
    weights.head.dense.data = {};
  }
  if (form == HeadForm::kScreened) weights.screen = MakeScreen(stored, team);
}

Head::Head(const Weights& weights, std::size_t max_tokens) {
  if (weights.int8_head.rows != 0) {
    int8_ = Int8RowsScratch(max_tokens, weights.int8_head.cols);
  }
  if (weights.screen.rows != 0) {
    screen_ = ScreenScratch(weights.screen.rows, weights.screen.cols);
  }
}

std::uint64_t Head::Bytes(const Weights& weights, std::size_t max_tokens) {
  if (weights.int8_head.rows != 0) {
    return Int8RowsScratch::Bytes(max_tokens, weights.int8_head.cols);
  }
  return weights.screen.rows != 0
             ? ScreenScratch::Bytes(weights.screen.rows, weights.screen.cols)
             : 0;
}

void Head::All(const ForwardPass& pass, const float* x, std::size_t tokens,
               float* logits) noexcept {
  const Int8Rows& int8 = pass.weights.int8_head;
  if (int8.rows != 0) {
    Int8RowsProduct(int8, x, tokens, int8_, logits, pass.team);
    bytes_read_ += int8.bytes();
    return;
  }
  RunHead(pass, x, tokens, logits);
  bytes_read_ += pass.weights.Head().bytes();
}

bool Head::ForSampling(const ForwardPass& pass, const float* x,
                       const SamplerOptions& options,
                       std::span<const Token> context, std::size_t rows,
                       float* logits) noexcept {
  const auto demand = DemandOf(options, context, rows);
  if (demand) return Demanded(pass, x, *demand, logits);
  All(pass, x, 1, logits);
  return true;
}

bool Head::Demanded(const ForwardPass& pass, const float* x,
                    const HeadDemand& demand, float* logits) noexcept {
  const ScreenRows& screen = pass.weights.screen;
  if (screen.rows == 0 || pause_ > 0) {
    if (pause_ > 0) --pause_;
    All(pass, x, 1, logits);
    return true;
  }
  const Linear& head = pass.weights.Head();
  const auto read = ScreenedLogits({screen, head.dense.View()}, x, demand,
                                   screen_, logits, pass.team);
  if (!read) {
    All(pass, x, 1, logits);
    return true;
  }
  bytes_read_ += ScreenRows::FirstBytes(demand.rows, screen.cols) +
                 read->fine * ScreenRows::FineRowBytes(screen.cols) +
                 read->refined * (head.bytes() / head.rows);
  if (read->refined > demand.rows / kWorthwhileShare) pause_ = kPause;
  return false;
}

}  // namespace tern
