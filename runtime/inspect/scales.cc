#include <algorithm>
#include <charconv>
#include <string>
#include <vector>

#include "runtime/inspect/inspection.h"

namespace tern::inspect {
namespace {

// Scales of a trained model's matrices lie within a factor of about ten of each
// other.
constexpr float kFar = 10;
// Those of the rows and blocks of one matrix differ more.
constexpr float kFarWithin = 100;
// Mean |w| of trained matrices, 0.01 to 2 in published models; its reciprocal
// is 0.5 to 100.
constexpr float kLargeMultiplier = 2;
// Rows of zeros are known, in a small model 318 of 13,000.
constexpr std::size_t kFewZeros = 8;  // one in so many

std::string Text(float value) {
  std::string text(32, '\0');
  char* end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  text.resize(static_cast<std::size_t>(end - text.data()));
  return text;
}

float Median(std::vector<float> values) {
  if (values.empty()) return 0;
  std::nth_element(
      values.begin(),
      values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2),
      values.end());
  return values[values.size() / 2];
}

void JudgeTensor(const TensorScales& tensor, float model_median,
                 std::vector<std::string>& warnings) {
  const std::string place = "tensor '" + tensor.name + "': ";
  if (tensor.zeros > tensor.count / kFewZeros) {
    warnings.push_back(place + std::to_string(tensor.zeros) + " of its " +
                       std::to_string(tensor.count) + " scales are 0");
  }
  if (tensor.median == 0) return;
  if (tensor.median > kLargeMultiplier && model_median <= kLargeMultiplier) {
    warnings.push_back(place + "weights of +1 stand for about " +
                       Text(tensor.median) +
                       ", where trained models have 0.01 to 2, and the others "
                       "of this one about " +
                       Text(model_median));
  } else if (tensor.median > kFar * model_median ||
             tensor.median * kFar < model_median) {
    warnings.push_back(place + "its scale is " + Text(tensor.median) +
                       ", where those of the others are about " +
                       Text(model_median));
  }
  if (tensor.max > kFarWithin * tensor.median) {
    warnings.push_back(place + "one of its scales is " + Text(tensor.max) +
                       ", where the others are about " + Text(tensor.median));
  }
}

// Which of the two rules config.json gives for weight_scale.
std::string Rule(const checkpoint::Checkpoint* model) {
  if (model == nullptr || model->layers.empty() ||
      !model->layers.front().q.scale) {
    return "";
  }
  return model->layers.front().q.scale_is_divisor
             ? "; config.json makes weight_scale a divisor, is it a multiplier?"
             : "; config.json makes weight_scale a multiplier, is it a "
               "divisor?";
}

}  // namespace

void JudgeScales(const checkpoint::Checkpoint* model, Inspection& inspection) {
  std::vector<std::string>& warnings = inspection.report.warnings;
  std::vector<float> medians;
  for (const TensorScales& tensor : inspection.scales) {
    if (tensor.median != 0) medians.push_back(tensor.median);
  }
  const float median = Median(medians);
  if (median > kLargeMultiplier) {
    warnings.push_back("weights of +1 stand for about " + Text(median) +
                       ", where trained models have 0.01 to 2" + Rule(model));
  }
  for (const TensorScales& tensor : inspection.scales) {
    JudgeTensor(tensor, median, warnings);
  }
}

}  // namespace tern::inspect
