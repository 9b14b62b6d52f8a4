#include "cli/serve/choice.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "cli/text.h"

namespace tern::cli::serve {
namespace {

std::size_t Characters(const std::string& text) {
  const auto begins = [](char byte) {
    return (static_cast<unsigned char>(byte) & 0xC0U) != 0x80U;
  };
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), begins));
}

}  // namespace

void Piece::Append(Piece&& more) {
  text += more.text;
  details.insert(details.end(), std::make_move_iterator(more.details.begin()),
                 std::make_move_iterator(more.details.end()));
}

Choice::Choice(const Tokenizer& tokenizer, std::vector<std::string> stops,
               bool with_details)
    : tokenizer_(tokenizer),
      decoder_(tokenizer),
      filter_(std::move(stops)),
      with_details_(with_details) {}

void Choice::Hold(const GeneratedToken& token) {
  Held held;
  held.detail.chosen = {tokenizer_.Decode(token.token), token.logprob};
  held.detail.offset = characters_;
  held.begin = decoded_;
  for (const TokenLogprob& other : token.top) {
    held.detail.top.push_back({tokenizer_.Decode(other.token), other.logprob});
  }
  decoded_ += held.detail.chosen.bytes.size();
  held.end = decoded_;
  characters_ += Characters(held.detail.chosen.bytes);
  held_.push_back(std::move(held));
}

Piece Choice::Push(const GeneratedToken& token) {
  if (with_details_) Hold(token);
  return Tell(filter_.Push(decoder_.Push(token.token)), false);
}

Piece Choice::Flush() {
  std::string text = filter_.Push(decoder_.Flush());
  text += filter_.Flush();
  return Tell(text, true);
}

// A token is told with the last of its bytes; at the end one that a stop string
// has cut counts too, but none of which no byte is left.
Piece Choice::Tell(const std::string& text, bool is_end) {
  Piece piece;
  piece.text = ReplaceInvalidUtf8(text);
  told_ += text.size();
  const bool all = is_end && !filter_.stopped();
  while (!held_.empty()) {
    const Held& first = held_.front();
    const bool is_told =
        all || first.end <= told_ || (is_end && first.begin < told_);
    if (!is_told) break;
    piece.details.push_back(std::move(held_.front().detail));
    held_.pop_front();
  }
  return piece;
}

}  // namespace tern::cli::serve
