// What all that runs a model asks of its options and its input.
#ifndef TERN_RUNTIME_SESSION_OPTIONS_H_
#define TERN_RUNTIME_SESSION_OPTIONS_H_

#include <cstddef>
#include <span>
#include <string>

#include <tern/error.h>
#include <tern/model.h>
#include <tern/tokenizer.h>

namespace tern {

// `asked`, or for 0 the model's own.  Throws Error (kInvalidArgument) for a
// context longer than the model was trained for.
std::size_t ResolveContext(std::size_t asked, const ModelConfig& config);

// `asked`, or for 0 all usable cores.  Throws Error (kInvalidArgument) for what
// is no number of threads.
int ResolveThreads(int asked);

// Throws Error (kInvalidArgument) for an id outside the model's vocabulary.
void RequireTokens(std::span<const Token> tokens, const ModelConfig& config);

// Throws Error (kInvalidArgument) if kernels run on another target than
// `target`, for which the buffers of `what` were made.
void RequireTarget(const std::string& what, const std::string& target);

// That a cache of `what` was given what it cannot hold (kUnsupported).
Error UnfitCache(const std::string& what);

// Rows of the head that are tokens: those beyond the tokenizer's ids are
// padding of the matrix.
std::size_t TokenRows(const Model& model);

}  // namespace tern

#endif  // TERN_RUNTIME_SESSION_OPTIONS_H_
