#include "runtime/session_options.h"

#include <tern/cpu.h>

#include "ternary_kernels/targets.h"

namespace tern {

std::size_t ResolveContext(std::size_t asked, const ModelConfig& config) {
  if (asked > config.max_context) {
    throw Error(ErrorCode::kInvalidArgument,
                "context of " + std::to_string(asked) +
                    " positions: the model was trained for " +
                    std::to_string(config.max_context) +
                    "; ask for no more than that");
  }
  return asked != 0 ? asked : config.max_context;
}

int ResolveThreads(int asked) {
  if (asked < 0 || asked > 4096) {
    throw Error(ErrorCode::kInvalidArgument,
                std::to_string(asked) +
                    " threads: not a number of threads; use 1 to 4096, or 0 "
                    "for all cores");
  }
  return asked != 0 ? asked : UsableCores();
}

void RequireTokens(std::span<const Token> tokens, const ModelConfig& config) {
  const std::size_t vocab = config.vocab_size;
  for (const Token token : tokens) {
    if (token >= 0 && static_cast<std::size_t>(token) < vocab) continue;
    throw Error(ErrorCode::kInvalidArgument,
                "token id " + std::to_string(token) +
                    ": outside the model's vocabulary; ids go from 0 to " +
                    std::to_string(vocab - 1));
  }
}

void RequireTarget(const std::string& what, const std::string& target) {
  if (kernels::ActiveTarget() == target) return;
  throw Error(ErrorCode::kInvalidArgument, what + ": the target was " + target +
                                               " when it was made and is " +
                                               kernels::ActiveTarget() +
                                               " now; make a new " + what);
}

Error UnfitCache(const std::string& what) {
  return {ErrorCode::kUnsupported,
          what +
              ": a key or value is not finite, or too large for an f16 "
              "cache (65504); the weights are damaged, or use an f32 cache"};
}

std::size_t TokenRows(const Model& model) {
  return model.has_tokenizer() ? model.tokenizer().vocab_size()
                               : model.config().vocab_size;
}

}  // namespace tern
