// From the words of the command line to a loaded model and a session.
#ifndef TERN_CLI_LOADING_H_
#define TERN_CLI_LOADING_H_

#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
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

// Loads with a progress bar; Ctrl-C ends it.
std::shared_ptr<const Model> LoadModel(const std::filesystem::path& path,
                                       const ComputeOptions& options);

// A session that holds --ctx tokens, or `default_context` (0: the model's own).
// Throws UsageError for a --ctx beyond the model's.
Session OpenSession(const std::shared_ptr<const Model>& model,
                    const ComputeOptions& options,
                    std::size_t default_context = 0);

// What is wrong with the first id outside the model's vocabulary, if there is
// one.
std::optional<std::string> WrongToken(const std::vector<Token>& tokens,
                                      const Model& model);

}  // namespace tern::cli

#endif  // TERN_CLI_LOADING_H_
