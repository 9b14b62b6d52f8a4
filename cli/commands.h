// The commands of `tern`.  Each takes the words after its name and returns the
// exit status; what goes wrong is thrown (errors.h) and told by main.cc alone.
#ifndef TERN_CLI_COMMANDS_H_
#define TERN_CLI_COMMANDS_H_

#include <string>
#include <vector>

namespace tern::cli {

using Arguments = std::vector<std::string>;

int Run(const Arguments& arguments);
int RunChat(const Arguments& arguments);
int Tokenize(const Arguments& arguments);
int Detokenize(const Arguments& arguments);
int Logits(const Arguments& arguments);
int Embed(const Arguments& arguments);
int Perplexity(const Arguments& arguments);
int InspectModel(const Arguments& arguments);
int PackModel(const Arguments& arguments);
int VerifyModel(const Arguments& arguments);
int Bench(const Arguments& arguments);
int Serve(const Arguments& arguments);

}  // namespace tern::cli

#endif  // TERN_CLI_COMMANDS_H_
