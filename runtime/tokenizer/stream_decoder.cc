#include <utility>

#include <tern/tokenizer.h>

#include "runtime/tokenizer/tokenizer_impl.h"
#include "runtime/tokenizer/utf8.h"

namespace tern {

std::string StreamDecoder::Push(Token token) {
  std::string whole = std::exchange(held_, {});
  whole += tokenizer_->impl().Text(token, at_start_);
  const std::size_t unfinished = tokenizer::UnfinishedUtf8Suffix(whole);
  held_ = whole.substr(whole.size() - unfinished);
  whole.resize(whole.size() - unfinished);
  return whole;
}

std::string StreamDecoder::Flush() { return std::exchange(held_, {}); }

}  // namespace tern
