// Loads a tokenizer.json with files beside it.
#ifndef TERN_TESTS_RUNTIME_TOKENIZER_LOAD_JSON_H_
#define TERN_TESTS_RUNTIME_TOKENIZER_LOAD_JSON_H_

#include <nlohmann/json.hpp>

#include "runtime/tokenizer/tokenizer_json.h"
#include "tests/runtime/tokenizer/fixtures.h"

namespace tern::tokenizer::testing {

// The arguments in turn: tokenizer.json, tokenizer_config.json,
// generation_config.json, config.json.
inline Tokenizer LoadJson(
    const nlohmann::json& file,
    const nlohmann::json& config = nlohmann::json::object(),
    const nlohmann::json& generation = nlohmann::json::object(),
    const nlohmann::json& model = nlohmann::json::object()) {
  const TemporaryDirectory directory;
  directory.Write("tokenizer.json", file.dump());
  directory.Write("tokenizer_config.json", config.dump());
  directory.Write("generation_config.json", generation.dump());
  directory.Write("config.json", model.dump());
  return LoadJsonTokenizer(directory.path() / "tokenizer.json");
}

}  // namespace tern::tokenizer::testing

#endif  // TERN_TESTS_RUNTIME_TOKENIZER_LOAD_JSON_H_
