// From the words of the command line to a loaded model and a session.
#ifndef TERN_CLI_LOADING_H_
#define TERN_CLI_LOADING_H_

#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <tern/model.h>
#include <tern/session.h>
#include <tern/tokenizer.h>

#include "cli/options.h"

namespace tern::cli {

// The shipped model, for a program in `program_folder`: ../../models in a build
// tree (build/release/tern), ../share/tern where it is installed.  Throws Error
// naming both places.
std::filesystem::path ShippedModel(const std::filesystem::path& program_folder);

// `given`, else $TERN_MODEL, else the shipped model.
std::filesystem::path ChooseModel(const std::string& given);

// Uses the instruction set `target` (empty: the best one) from now on.  Throws
// UsageError.
void ChooseTarget(const std::string& target);

// Throws Error if writing `output` would replace the model or a file of its
// folder, which nobody means.
void RefuseOverwriting(const std::filesystem::path& model,
                       const std::filesystem::path& output);

// Loads with a progress bar; Ctrl-C ends it.
std::shared_ptr<const Model> LoadModel(const std::filesystem::path& path,
                                       const ComputeOptions& options);

// What Model::Describe says, but for the tokenizer's sizes and its file: those
// are for `tern inspect`, and paths are nothing for clients of a server.
std::string ShortDescription(const Model& model);

// A line that says what was found: format, architecture, weights, activations,
// head, tokenizer and chat template.
// `chat_template` describes another one than the model's own.
std::string ModelLine(
    const std::filesystem::path& path, const Model& model,
    const std::optional<std::string>& chat_template = std::nullopt);

// A session that holds --ctx tokens, or `default_context` (0: the model's own).
// Throws UsageError for a --ctx beyond the model's.
Session OpenSession(const std::shared_ptr<const Model>& model,
                    const ComputeOptions& options,
                    std::size_t default_context = 0);

// Throws UsageError for a --ctx beyond the model's.
void CheckContext(const std::optional<std::size_t>& context,
                  const ModelConfig& config);

// What to do about something longer than `context` tokens: a larger --ctx, if
// the model has one.
std::string AdviceForLonger(std::size_t context, const Model& model);

// How many tokens are appended between two looks at Ctrl-C: at 40 tokens/s, a
// slow model, less than two seconds.  The logits do not depend on the cut, and
// pieces of 256 are no faster: 959 tokens of books-79m were read at 1003 (64)
// and 982 tokens/s (256) by one thread, at 1756 and 1787 by two.
inline constexpr std::size_t kPieceTokens = 64;
// Session::Append; Ctrl-C ends it.
void AppendInPieces(std::span<const Token> tokens, Session& session);

// What is wrong with the first id outside the model's vocabulary, if there is
// one.
std::optional<std::string> WrongToken(const std::vector<Token>& tokens,
                                      const Model& model);

}  // namespace tern::cli

#endif  // TERN_CLI_LOADING_H_
