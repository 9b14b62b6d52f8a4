#include "runtime/tokenizer/tokenizer_model.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "runtime/files/input_file.h"
#include "runtime/files/quote.h"
#include "runtime/tokenizer/json_special_tokens.h"
#include "runtime/tokenizer/model_added_tokens.h"
#include "runtime/tokenizer/protobuf.h"
#include "runtime/tokenizer/sentence_piece.h"
#include "runtime/tokenizer/tokenizer_impl.h"

namespace tern::tokenizer {
namespace {

// Llama 2's has half a megabyte, the largest published ones four.
constexpr std::uint64_t kMaxModelBytes = std::uint64_t{64} << 20;

// sentencepiece_model.proto's TrainerSpec, with its defaults.
struct TrainerSettings {
  std::int32_t model_type = 1;
  bool whitespace_as_suffix = false;
  bool byte_fallback = false;
  std::int32_t unknown = 0;
  std::int32_t bos = 1;
  std::int32_t eos = 2;
};

// And its NormalizerSpec.
struct NormalizerSettings {
  std::string name;
  bool has_charsmap = false;
  bool add_dummy_prefix = true;
  bool remove_extra_whitespaces = true;
  bool escape_whitespaces = true;
  bool has_rules = false;
};

[[noreturn]] void RefuseSetting(const TokenizerSpec& spec,
                                const std::string& key,
                                const std::string& why) {
  Refuse(ErrorCode::kUnsupported, spec.file, key,
         why + "; tern reads SentencePiece models made as Llama 2's");
}

[[noreturn]] void RefuseField(const TokenizerSpec& spec,
                              const ProtobufMessage& message,
                              const std::string& name) {
  RefuseSetting(spec, message.place(),
                "field " + std::to_string(message.number()) + " of " + name +
                    " is not known to tern");
}

void ReadPiece(ProtobufMessage message, TokenizerSpec& spec) {
  const std::string place = message.place();
  std::optional<std::string_view> name;
  float score = 0;
  std::int64_t type = static_cast<std::int64_t>(PieceType::kNormal);
  while (message.Next()) {
    switch (message.number()) {
      case 1:
        name = message.String();
        break;
      case 2:
        score = message.Float();
        break;
      case 3:
        type = message.Int32();
        break;
      default:
        RefuseField(spec, message, "a piece");
    }
  }
  if (type == static_cast<std::int64_t>(PieceType::kUnused)) {
    // SentencePiece merges by way of these and takes them apart afterwards.
    RefuseSetting(spec, place, "an unused piece, which is not known to tern");
  }
  if (type == static_cast<std::int64_t>(PieceType::kUserDefined)) {
    RefuseSetting(spec, place,
                  "a user-defined piece, " + files::Quote(name.value_or("")) +
                      ", which SentencePiece looks for within the normalized "
                      "text and tern does not");
  }
  AppendPiece(spec, name.value_or(""), score, type, place);
}

// Fields that are not named here were for training.
TrainerSettings ReadTrainer(ProtobufMessage message) {
  TrainerSettings trainer;
  while (message.Next()) {
    switch (message.number()) {
      case 3:
        trainer.model_type = message.Int32();
        break;
      case 24:
        trainer.whitespace_as_suffix = message.Bool();
        break;
      case 35:
        trainer.byte_fallback = message.Bool();
        break;
      case 40:
        trainer.unknown = message.Int32();
        break;
      case 41:
        trainer.bos = message.Int32();
        break;
      case 42:
        trainer.eos = message.Int32();
        break;
      default:
        break;
    }
  }
  return trainer;
}

NormalizerSettings ReadNormalizer(const TokenizerSpec& spec,
                                  ProtobufMessage message) {
  NormalizerSettings settings;
  while (message.Next()) {
    switch (message.number()) {
      case 1:
        settings.name = message.String();
        break;
      case 2:
        settings.has_charsmap = !message.String().empty();
        break;
      case 3:
        settings.add_dummy_prefix = message.Bool();
        break;
      case 4:
        settings.remove_extra_whitespaces = message.Bool();
        break;
      case 5:
        settings.escape_whitespaces = message.Bool();
        break;
      case 6:
        settings.has_rules = !message.String().empty();
        break;
      default:
        RefuseField(spec, message, "the normalizer");
    }
  }
  return settings;
}

std::optional<Token> SettingToken(const TokenizerSpec& spec,
                                  const std::string& key, std::int32_t id) {
  if (id == -1) return std::nullopt;  // there is none
  if (id < 0 || static_cast<std::size_t>(id) >= spec.tokens.size()) {
    Refuse(ErrorCode::kMalformed, spec.file, key,
           std::to_string(id) + " is not one of the " +
               std::to_string(spec.tokens.size()) +
               " ids; use the file as it was published");
  }
  return id;
}

void UseTrainer(const TrainerSettings& trainer, TokenizerSpec& spec) {
  constexpr std::int32_t kBpe = 2;
  if (trainer.model_type != kBpe) {
    RefuseSetting(spec, "trainer_spec.model_type",
                  std::to_string(trainer.model_type) + " is not 2 (BPE)");
  }
  if (!trainer.byte_fallback) {
    RefuseSetting(spec, "trainer_spec.byte_fallback", "not true");
  }
  if (trainer.whitespace_as_suffix) {
    RefuseSetting(spec, "trainer_spec.treat_whitespace_as_suffix", "true");
  }
  spec.unknown = SettingToken(spec, "trainer_spec.unk_id", trainer.unknown);
  spec.bos = SettingToken(spec, "trainer_spec.bos_id", trainer.bos);
  spec.adds_bos = spec.bos.has_value();
  spec.eos = SettingToken(spec, "trainer_spec.eos_id", trainer.eos);
  if (spec.eos.has_value()) AddEndToken(spec, *spec.eos);
}

void UseNormalizer(const NormalizerSettings& settings, TokenizerSpec& spec) {
  if (!settings.name.empty() && settings.name != "identity") {
    RefuseSetting(spec, "normalizer_spec.name",
                  files::Quote(settings.name) + " is not 'identity'");
  }
  if (settings.has_charsmap || settings.has_rules) {
    RefuseSetting(spec, "normalizer_spec.precompiled_charsmap",
                  "there are rules of normalization");
  }
  if (settings.remove_extra_whitespaces) {
    RefuseSetting(spec, "normalizer_spec.remove_extra_whitespaces", "true");
  }
  if (!settings.escape_whitespaces) {
    RefuseSetting(spec, "normalizer_spec.escape_whitespaces", "false");
  }
  spec.dummy_prefix.added = settings.add_dummy_prefix;
}

void ReadModel(ProtobufMessage message, TokenizerSpec& spec) {
  TrainerSettings trainer;
  NormalizerSettings normalizer;
  while (message.Next()) {
    switch (message.number()) {
      case 1:
        ReadPiece(message.Message(), spec);
        break;
      case 2:
        trainer = ReadTrainer(message.Message());
        break;
      case 3:
        normalizer = ReadNormalizer(spec, message.Message());
        break;
      case 4:  // texts to test with
        break;
      case 5: {
        const NormalizerSettings back = ReadNormalizer(spec, message.Message());
        if (back.has_charsmap || back.has_rules) {
          RefuseSetting(spec, "denormalizer_spec", "it has rules");
        }
        break;
      }
      default:
        RefuseField(spec, message, "the model");
    }
  }
  UseTrainer(trainer, spec);
  UseNormalizer(normalizer, spec);
}

}  // namespace

TokenizerSpec ReadModelSpec(const std::filesystem::path& path) {
  TokenizerSpec spec;
  spec.kind = VocabularyKind::kSentencePiece;
  spec.file = path.string();
  spec.tokens_key = "pieces";
  spec.merges_key = "pieces' scores";
  spec.merges_by_score = true;
  const std::string bytes = files::ReadTextFile(path, kMaxModelBytes);
  ReadModel(ProtobufMessage(bytes, 0, spec.file), spec);
  ReadAddedTokensBeside(path, spec);
  ReadFilesBeside(path, spec);
  AddEndTokensByName(spec);
  Describe(spec, "");
  return spec;
}

Tokenizer LoadModelTokenizer(const std::filesystem::path& path) {
  return Tokenizer(
      std::make_unique<const Tokenizer::Impl>(ReadModelSpec(path)));
}

}  // namespace tern::tokenizer
