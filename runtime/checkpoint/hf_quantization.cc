#include "runtime/checkpoint/hf_quantization.h"

#include <string>

namespace tern::checkpoint {
namespace {

// Defaults below are those of transformers' BitNetQuantConfig.
constexpr float kDefaultNormEps = 1e-6F;

void CheckQuantizationKeys(const ConfigReader& quantization) {
  quantization.Expect("quant_method", "bitnet");
  if (!quantization.Has("quant_method")) {
    quantization.Refuse("quant_method", "is missing");
  }
  if (quantization.Has("modules_to_not_convert") &&
      !IsListOf(quantization.Get("modules_to_not_convert"), 1, "lm_head")) {
    quantization.Refuse("modules_to_not_convert",
                        "is not a list of 'lm_head' alone");
  }
  for (const auto& [key, value] : quantization.object().items()) {
    if (key != "quant_method" && key != "use_rms_norm" &&
        key != "rms_norm_eps" && key != "modules_to_not_convert" &&
        key != "linear_class" && key != "quantization_mode" &&
        !value.is_null()) {
      quantization.Refuse(key, "is not supported, and might change the result");
    }
  }
}

HfWeights ReadWeights(const ConfigReader& quantization) {
  // The defaults are those of transformers' BitNetQuantConfig.
  const std::string linear_class = quantization.Has("linear_class")
                                       ? quantization.String("linear_class")
                                       : "bitlinear";
  const std::string mode = quantization.Has("quantization_mode")
                               ? quantization.String("quantization_mode")
                               : "offline";
  if (linear_class != "bitlinear" && linear_class != "autobitlinear") {
    quantization.Refuse("linear_class",
                        files::Quote(linear_class) + " is unknown");
  }
  if (mode != "offline" && mode != "online") {
    quantization.Refuse("quantization_mode",
                        files::Quote(mode) + " is unknown");
  }
  if (linear_class == "bitlinear") {
    quantization.Expect("quantization_mode", "offline");
    return HfWeights::kPackedDivide;
  }
  return mode == "offline" ? HfWeights::kPackedMultiply : HfWeights::kMaster;
}

}  // namespace

HfQuantization ReadQuantization(const ConfigReader& config) {
  if (!config.Has("quantization_config")) return {};
  const ConfigReader quantization = config.Object("quantization_config");
  CheckQuantizationKeys(quantization);
  HfQuantization result;
  result.weights = ReadWeights(quantization);
  if (quantization.Has("use_rms_norm") && quantization.Bool("use_rms_norm")) {
    result.projection_norms = true;
    result.projection_norm_eps = quantization.Has("rms_norm_eps")
                                     ? quantization.Float("rms_norm_eps")
                                     : kDefaultNormEps;
  }
  return result;
}

}  // namespace tern::checkpoint
