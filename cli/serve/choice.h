// One text that is being generated: from tokens to what may be told of it.
// Used by the scheduler's thread alone, until the text has ended.
#ifndef TERN_CLI_SERVE_CHOICE_H_
#define TERN_CLI_SERVE_CHOICE_H_

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include <tern/scheduler.h>
#include <tern/tokenizer.h>

#include "cli/stop_filter.h"

namespace tern::cli::serve {

// A token and its log probability, as text.
struct NamedLogprob {
  std::string bytes;
  float logprob = 0;
};

struct TokenDetail {
  NamedLogprob chosen;
  std::vector<NamedLogprob> top;
  std::size_t offset = 0;  // characters of the text before it
};

// What a text has grown by.
struct Piece {
  std::string text;                  // UTF-8
  std::vector<TokenDetail> details;  // with logprobs

  [[nodiscard]] bool empty() const { return text.empty() && details.empty(); }
  void Append(Piece&& more);
};

class Choice {
 public:
  // `tokenizer` must outlive it.
  Choice(const Tokenizer& tokenizer, std::vector<std::string> stops,
         bool with_details);

  // Text that may still become a stop string, or a part of a character, is held
  // back, and so is what is known of its tokens.
  Piece Push(const GeneratedToken& token);
  // What was held back, at the end.
  Piece Flush();
  // A stop string has come: nothing more is told.
  [[nodiscard]] bool stopped() const { return filter_.stopped(); }

 private:
  struct Held {
    TokenDetail detail;
    std::size_t begin = 0;  // bytes of the text before it
    std::size_t end = 0;    // and with it
  };

  Piece Tell(const std::string& text, bool is_end);
  void Hold(const GeneratedToken& token);

  const Tokenizer& tokenizer_;
  StreamDecoder decoder_;
  StopFilter filter_;
  const bool with_details_;
  std::deque<Held> held_;
  std::size_t decoded_ = 0;     // bytes of all tokens
  std::size_t characters_ = 0;  // that begin in them
  std::size_t told_ = 0;        // bytes of them that were told
};

}  // namespace tern::cli::serve

#endif  // TERN_CLI_SERVE_CHOICE_H_
