// `tern serve`: answers HTTP requests (cli/serve/README.md).
#include <filesystem>
#include <memory>

#include "cli/commands.h"
#include "cli/errors.h"
#include "cli/io.h"
#include "cli/loading.h"
#include "cli/serve/serve_options.h"
#include "cli/serve/server.h"

namespace tern::cli {

int Serve(const Arguments& arguments) {
  serve::ServeOptions options;
  if (!serve::ParseServeOptions(arguments, &options)) return kDone;
  const std::filesystem::path path = ChooseModel(options.model);
  const std::shared_ptr<const Model> model = LoadModel(path, options.compute);
  CheckContext(options.compute.context_length, model->config());
  Note(ModelLine(path, *model));
  serve::RunServer(path, model, options);
  return kDone;
}

}  // namespace tern::cli
