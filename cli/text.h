// Token ids and results as text.
#ifndef TERN_CLI_TEXT_H_
#define TERN_CLI_TEXT_H_

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include <tern/tokenizer.h>

namespace tern::cli {

using Json = nlohmann::ordered_json;

// One JSON document and a line end.  Bytes that are not UTF-8 become U+FFFD:
// a JSON string can hold nothing else.
std::string DumpJson(const Json& json);

// Each byte that is in no UTF-8 becomes U+FFFD.
std::string ReplaceInvalidUtf8(std::string_view text);

// On one line: valid UTF-8 stays, but control characters and bytes that are no
// UTF-8 are written \n, \t, \r, \xHH, and the backslash \\.
std::string EscapePiece(std::string_view piece);

// The same, but the backslash stays as it is.
std::string EscapeControls(std::string_view line);

// Ids separated by white space or single commas, a JSON array of them, or a
// JSON object with that array under "ids".  Throws std::invalid_argument whose
// what() says which word is not an id, or where one is missing.
std::vector<Token> ParseTokenIds(std::string_view text);

// The same, which gives one list and `nested` false; and an array of arrays of
// ids, which gives those.  Throws as ParseTokenIds.
struct TokenLists {
  std::vector<std::vector<Token>> lists;
  bool nested = false;
};
TokenLists ParseTokenLists(std::string_view text);

std::string JoinIds(const std::vector<Token>& ids);

// "1.19 GB", "25.3 MB", "312 B": powers of 1000, three digits.
std::string HumanBytes(std::uint64_t bytes);
// As printf("%.*f").
std::string Fixed(double value, int decimals);

}  // namespace tern::cli

#endif  // TERN_CLI_TEXT_H_
