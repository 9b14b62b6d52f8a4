// Frequencies of the rotary positions (Su et al. 2021, arXiv 2104.09864), and
// how models whose context was extended scale them.
#ifndef TERN_RUNTIME_ROPE_H_
#define TERN_RUNTIME_ROPE_H_

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace tern {

// [head_dim / 2] radians a position, theta^(-2i / head_dim), in float32 as the
// reference computes them.
std::vector<float> RopeFrequencies(float theta, std::size_t head_dim);

// Linear: every frequency through the factor.
void ScaleRopeLinear(float factor, std::span<float> frequencies);

// "llama3" (Llama 3.1): wavelengths above original_context / low_freq_factor
// through the factor, those below original_context / high_freq_factor as they
// are, a linear blend between.
struct Llama3Rope {
  float factor = 1;
  float low_freq_factor = 1;
  float high_freq_factor = 4;
  float original_context = 0;
};
void ScaleRopeLlama3(const Llama3Rope& scaling, std::span<float> frequencies);

// YaRN (Peng et al. 2023, arXiv 2309.00071, section 3.2): a blend by the number
// of turns that a frequency makes over the original context.
struct YarnRope {
  float factor = 1;
  float original_context = 0;
  float beta_fast = 32;  // turns from which on a frequency stays
  float beta_slow = 1;   // turns up to which it goes through the factor
  // Of cosines and sines; otherwise 0.1 ln(factor) + 1 (section 3.4).
  std::optional<float> magnitude;
};
// Returns the magnitude.
float ScaleRopeYarn(const YarnRope& scaling, float theta,
                    std::span<float> frequencies);

}  // namespace tern

#endif  // TERN_RUNTIME_ROPE_H_
