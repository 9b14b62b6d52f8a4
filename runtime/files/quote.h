// Text from a file inside an error message: a name of any length and any bytes
// must not break the rule that a message is one line.
#ifndef TERN_RUNTIME_FILES_QUOTE_H_
#define TERN_RUNTIME_FILES_QUOTE_H_

#include <string>
#include <string_view>

namespace tern::files {

// 'text', with control characters and bytes outside ASCII as \xNN, and cut
// after 100 bytes with "...".
std::string Quote(std::string_view text);

}  // namespace tern::files

#endif  // TERN_RUNTIME_FILES_QUOTE_H_
