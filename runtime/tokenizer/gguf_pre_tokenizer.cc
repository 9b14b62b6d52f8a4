#include "runtime/tokenizer/gguf_pre_tokenizer.h"

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "runtime/files/quote.h"
#include "runtime/tokenizer/tokenizer_spec.h"

namespace tern::tokenizer {
namespace {

constexpr const char* kPre = "tokenizer.ggml.pre";

// A vocabulary that everybody knows by its size and special tokens.
struct KnownVocabulary {
  const char* pre;
  std::uint64_t min_size;  // padded to some multiple or not
  std::uint64_t max_size;
  std::uint64_t bos;
  bool may_lack_bos;               // no other BOS will do, but none may
  std::vector<std::uint64_t> eos;  // one of these; empty: does not tell
};

const std::vector<KnownVocabulary>& KnownVocabularies() {
  static const std::vector<KnownVocabulary> known = {
      {"llama-bpe", 128256, 128256, 128000, false, {}},
      {"falcon3", 131072, 131072, 11, true, {11}},
      {"qwen2", 151643, 151936, 151643, true, {151643, 151645}},
      {"gpt-2", 50257, 50257, 50256, false, {50256}},
      {"gpt-neox", 50254, 50432, 0, false, {0}},
  };
  return known;
}

bool Matches(const KnownVocabulary& known, std::uint64_t size,
             std::optional<std::uint64_t> bos,
             std::optional<std::uint64_t> eos) {
  if (size < known.min_size || size > known.max_size) return false;
  if (!bos.has_value() && !known.may_lack_bos) return false;
  if (bos.has_value() && *bos != known.bos) return false;
  if (known.eos.empty()) return true;
  for (const std::uint64_t id : known.eos) {
    if (eos == id) return true;
  }
  return false;
}

std::optional<FoundPreTokenizer> InferByArchitecture(
    const files::GgufFile& file, const std::string& because) {
  // microsoft/bitnet-b1.58-2B-4T-gguf lacks the key; all models of this
  // architecture use Llama 3's tokenizer.
  const std::string* architecture = file.String("general.architecture");
  if (architecture == nullptr ||
      (*architecture != "bitnet-b1.58" && *architecture != "bitnet-25")) {
    return std::nullopt;
  }
  return FoundPreTokenizer{
      FindPreTokenizerByGgufName("llama-bpe"),
      ", inferred from the architecture because " + because};
}

std::optional<FoundPreTokenizer> InferByVocabulary(const files::GgufFile& file,
                                                   const std::string& because) {
  const auto* tokens = file.Strings("tokenizer.ggml.tokens");
  if (tokens == nullptr) return std::nullopt;
  const auto bos = file.Unsigned("tokenizer.ggml.bos_token_id");
  const auto eos = file.Unsigned("tokenizer.ggml.eos_token_id");
  for (const KnownVocabulary& known : KnownVocabularies()) {
    if (!Matches(known, tokens->size(), bos, eos)) continue;
    std::string origin =
        ", inferred from " + std::to_string(tokens->size()) + " tokens";
    if (bos) origin += ", bos " + std::to_string(*bos);
    if (eos) origin += ", eos " + std::to_string(*eos);
    origin += " because " + because;
    return FoundPreTokenizer{FindPreTokenizerByGgufName(known.pre),
                             std::move(origin)};
  }
  return std::nullopt;
}

}  // namespace

FoundPreTokenizer FindGgufPreTokenizer(const files::GgufFile& file) {
  const std::string* pre = file.String(kPre);
  if (pre != nullptr && *pre != "default") {
    const PreTokenizer* kind = FindPreTokenizerByGgufName(*pre);
    if (kind != nullptr) return {kind, ""};
    Refuse(ErrorCode::kUnsupported, file.path.string(), kPre,
           files::Quote(*pre) + " is not known; tern knows " +
               KnownPreTokenizers());
  }
  const std::string because =
      std::string(kPre) + (pre == nullptr ? " is missing" : " is 'default'");
  if (auto found = InferByArchitecture(file, because)) return *std::move(found);
  if (auto found = InferByVocabulary(file, because)) return *std::move(found);
  Refuse(ErrorCode::kUnsupported, file.path.string(), kPre,
         std::string(pre == nullptr ? "missing" : "'default'") +
             ", and neither the architecture nor the vocabulary tells; convert "
             "the model again with a converter that writes it");
}

}  // namespace tern::tokenizer
