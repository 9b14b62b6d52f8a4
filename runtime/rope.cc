#include "runtime/rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace tern {
namespace {

constexpr float kTurn = 2 * std::numbers::pi_v<float>;

// Index of the frequency that makes `turns` turns over the original context,
// between two indexes as a rule.
double TurnsIndex(double turns, const YarnRope& scaling, double theta,
                  double head_dim) {
  return head_dim *
         std::log(static_cast<double>(scaling.original_context) /
                  (turns * 2 * std::numbers::pi)) /
         (2 * std::log(theta));
}

}  // namespace

std::vector<float> RopeFrequencies(float theta, std::size_t head_dim) {
  std::vector<float> frequencies(head_dim / 2);
  for (std::size_t i = 0; i < frequencies.size(); ++i) {
    const float exponent =
        static_cast<float>(2 * i) / static_cast<float>(head_dim);
    frequencies[i] = 1.0F / std::pow(theta, exponent);
  }
  return frequencies;
}

void ScaleRopeLinear(float factor, std::span<float> frequencies) {
  for (float& frequency : frequencies) frequency /= factor;
}

void ScaleRopeLlama3(const Llama3Rope& s, std::span<float> frequencies) {
  const float longest = s.original_context / s.low_freq_factor;
  const float shortest = s.original_context / s.high_freq_factor;
  for (float& frequency : frequencies) {
    const float wavelength = kTurn / frequency;
    if (wavelength < shortest) continue;
    const float scaled = frequency / s.factor;
    if (wavelength > longest) {
      frequency = scaled;
      continue;
    }
    const float blend = (s.original_context / wavelength - s.low_freq_factor) /
                        (s.high_freq_factor - s.low_freq_factor);
    frequency = (1 - blend) * scaled + blend * frequency;
  }
}

float ScaleRopeYarn(const YarnRope& s, float theta,
                    std::span<float> frequencies) {
  const auto head_dim = static_cast<double>(2 * frequencies.size());
  const auto low = static_cast<float>(
      std::max(std::floor(TurnsIndex(s.beta_fast, s, theta, head_dim)), 0.0));
  auto high = static_cast<float>(std::min(
      std::ceil(TurnsIndex(s.beta_slow, s, theta, head_dim)), head_dim - 1));
  if (low == high) high += 0.001F;  // no division by zero
  for (std::size_t i = 0; i < frequencies.size(); ++i) {
    const float ramp =
        std::clamp((static_cast<float>(i) - low) / (high - low), 0.0F, 1.0F);
    frequencies[i] =
        frequencies[i] / s.factor * ramp + frequencies[i] * (1 - ramp);
  }
  if (s.magnitude) return *s.magnitude;
  return s.factor <= 1 ? 1.0F : 0.1F * std::log(s.factor) + 1.0F;
}

}  // namespace tern
