// The page at /: page.html, which is part of the program.
#ifndef TERN_CLI_SERVE_PAGE_H_
#define TERN_CLI_SERVE_PAGE_H_

#include "cli/serve/http.h"

namespace tern::cli::serve {

Reply Page();

}  // namespace tern::cli::serve

#endif  // TERN_CLI_SERVE_PAGE_H_
