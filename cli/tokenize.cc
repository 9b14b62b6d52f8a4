// `tern tokenize` and `tern detokenize`.
#include <stdexcept>
#include <string>
#include <vector>

#include <tern/error.h>
#include <tern/tokenizer.h>

#include "cli/commands.h"
#include "cli/errors.h"
#include "cli/io.h"
#include "cli/loading.h"
#include "cli/options.h"
#include "cli/text.h"

namespace tern::cli {
namespace {

// What both commands take: one text from the words, a file or stdin.
struct TextSource {
  std::string model;
  std::string file;
  std::vector<std::string> words;
  bool json = false;
};

void AddSourceOptions(CommandLine& line, std::size_t max_words,
                      TextSource* source) {
  AddModelOption(line.options(), &source->model);
  line.options().add_options()("file,f", Name(&source->file, "--file", "FILE"),
                               "read from FILE, - for standard input")(
      "json", po::bool_switch(&source->json), "print one JSON document");
  line.TakeWords(max_words, &source->words);
}

std::string ReadSource(const TextSource& source) {
  if (source.words.empty()) {
    return ReadInput(source.file.empty() ? "-" : source.file);
  }
  if (!source.file.empty()) {
    throw UsageError("--file: cannot be combined with '" + source.words[0] +
                     "'");
  }
  std::string text;
  for (const std::string& word : source.words) {
    text += (text.empty() ? "" : " ") + word;
  }
  return text;
}

std::vector<Token> ReadIds(const TextSource& source) {
  const std::string text = ReadSource(source);
  try {
    return ParseTokenIds(text);
  } catch (const std::invalid_argument& error) {
    if (!source.words.empty()) throw UsageError(error.what());
    const std::string place =
        InputName(source.file.empty() ? "-" : source.file);
    throw Error(ErrorCode::kMalformed, place + ": " + error.what() +
                                           "; give numbers separated by "
                                           "commas or spaces, or JSON");
  }
}

}  // namespace

int Tokenize(const Arguments& arguments) {
  TextSource source;
  EncodeOptions encode;
  bool ids_only = false;
  bool no_bos = false;
  CommandLine line(
      {"tern tokenize [options] [TEXT]",
       "Prints the tokens of TEXT, of a file, or of standard input: a line a "
       "token,\nits id, a tab and its bytes (\\n, \\xHH and the like where "
       "they "
       "are no plain\ntext). Names of special tokens are ordinary text unless "
       "--special is given.\nIn --json, bytes that are not UTF-8 on their own "
       "appear as U+FFFD.",
       "  tern tokenize --ids \"Once upon a time\""});
  AddSourceOptions(line, 1, &source);
  line.options().add_options()(
      "ids", po::bool_switch(&ids_only),
      "print the ids only, on one line, separated by commas")(
      "no-bos", po::bool_switch(&no_bos),
      "do not begin with the token that begins a text")(
      "special", po::bool_switch(&encode.parse_special),
      "read names of special tokens, such as <|eot_id|>, as those tokens");
  if (!line.Parse(arguments)) return kDone;
  if (ids_only && source.json) {
    throw UsageError("--ids: cannot be combined with --json");
  }
  encode.add_bos = !no_bos;
  const std::string text = ReadSource(source);
  const Tokenizer tokenizer = Tokenizer::Load(ChooseModel(source.model));
  const std::vector<Token> ids = tokenizer.Encode(text, encode);
  if (ids_only) {
    WriteResult(JoinIds(ids) + "\n");
    return kDone;
  }
  Json pieces = Json::array();
  std::string lines;
  for (const Token id : ids) {
    const std::string piece = tokenizer.Decode(id);
    if (source.json) {
      pieces.push_back(piece);
    } else {
      lines += std::to_string(id) + "\t" + EscapePiece(piece) + "\n";
    }
  }
  WriteResult(source.json ? DumpJson({{"ids", ids}, {"pieces", pieces}})
                          : lines);
  return kDone;
}

int Detokenize(const Arguments& arguments) {
  TextSource source;
  CommandLine line(
      {"tern detokenize [options] [IDS]",
       "Writes the text of token ids, which are separated by commas or spaces, "
       "or are a\nJSON array, or what `tern tokenize --json` printed; from "
       "the command line, a\nfile or standard input. The bytes are written "
       "exactly, without a line end; in\n--json, bytes that are not UTF-8 "
       "appear as U+FFFD.",
       "  tern detokenize 46,1483,546,258,550"});
  constexpr std::size_t kAnyNumber = 1U << 20U;
  AddSourceOptions(line, kAnyNumber, &source);
  if (!line.Parse(arguments)) return kDone;
  const std::vector<Token> ids = ReadIds(source);
  const Tokenizer tokenizer = Tokenizer::Load(ChooseModel(source.model));
  if (!source.words.empty()) {
    for (const Token id : ids) {
      if (static_cast<std::size_t>(id) < tokenizer.vocab_size()) continue;
      throw UsageError("'" + std::to_string(id) + "': ids are below " +
                       std::to_string(tokenizer.vocab_size()) +
                       ", the size of the vocabulary");
    }
  }
  const std::string text = tokenizer.Decode(ids);
  WriteResult(source.json ? DumpJson({{"text", text}}) : text);
  return kDone;
}

}  // namespace tern::cli
