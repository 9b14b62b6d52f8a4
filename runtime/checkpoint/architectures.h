// The architectures that tern runs, all of one plan: embedding, layers of
// attention and gated feed-forward, final norm, head.  What tells them apart is
// a few members of ModelConfig.
#ifndef TERN_RUNTIME_CHECKPOINT_ARCHITECTURES_H_
#define TERN_RUNTIME_CHECKPOINT_ARCHITECTURES_H_

#include <string>
#include <string_view>

#include <tern/model.h>

namespace tern::checkpoint {

struct Architecture {
  const char* name;
  Activation activation;
  bool sub_norms;
  bool head_norms;
  // What ternary layers take where the files do not say it: b1.58 models are
  // trained with int8, Bonsai (qwen3) with weights alone ternary.
  InputType input_type;
};

// By tern's name, which is GGUF's too.  nullptr if there is none.
const Architecture* FindArchitecture(std::string_view name);

// "bitnet-b1.58, bitnet, llama, qwen3", for messages.
std::string ArchitectureNames();

// A configuration of which nothing else is set.
ModelConfig ConfigOf(const Architecture& architecture);

}  // namespace tern::checkpoint

#endif  // TERN_RUNTIME_CHECKPOINT_ARCHITECTURES_H_
