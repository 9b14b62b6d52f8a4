#include "runtime/tokenizer/json_pipeline.h"

#include <optional>
#include <string>

#include "runtime/files/json.h"

namespace tern::tokenizer {
namespace {

constexpr const char* kSpace = "\xE2\x96\x81";  // U+2581

void ReadByteLevelNormalizer(const JsonNode& root, TokenizerSpec& spec) {
  const auto node = root.Find("normalizer");
  if (!node.has_value()) return;
  RequireType(*node, "NFC");
  node->AllowOnly({"type"});
  spec.nfc = true;
}

// Returns whether it splits by its own expression, as it does unless told.
bool ReadByteLevel(const JsonNode& byte_level) {
  RequireType(byte_level, "ByteLevel");
  // trim_offsets moves only the offsets into the text, which tern has not.
  byte_level.AllowOnly(
      {"type", "add_prefix_space", "trim_offsets", "use_regex"});
  if (byte_level.Require("add_prefix_space").Bool()) {
    byte_level.Require("add_prefix_space").RefuseValue("is not known to tern");
  }
  const auto use_regex = byte_level.Find("use_regex");
  return !use_regex.has_value() || use_regex->Bool();
}

const PreTokenizer* FindKind(std::string_view regex,
                             const TokenizerSpec& spec) {
  return FindPreTokenizerByRegex(regex, spec.nfc, spec.ignore_merges);
}

const PreTokenizer* ReadSplit(const JsonNode& split,
                              const TokenizerSpec& spec) {
  RequireType(split, "Split");
  split.AllowOnly({"type", "pattern", "behavior", "invert"});
  if (split.Require("behavior").String() != "Isolated") {
    split.Require("behavior").RefuseValue("is not known; tern needs Isolated");
  }
  RequireUnset(split, "invert", false);
  const JsonNode pattern = split.Require("pattern");
  pattern.AllowOnly({"Regex"});
  const JsonNode regex = pattern.Require("Regex");
  const PreTokenizer* kind = FindKind(regex.String(), spec);
  if (kind == nullptr) {
    regex.RefuseValue(
        "is not an expression that tern knows; it knows those of " +
        KnownPreTokenizers());
  }
  return kind;
}

const PreTokenizer* ReadPreTokenizer(const JsonNode& root,
                                     const TokenizerSpec& spec) {
  const auto node = root.Find("pre_tokenizer");
  if (!node.has_value()) {
    Refuse(ErrorCode::kUnsupported, root.file(), "pre_tokenizer",
           "missing; tern needs ByteLevel, or a Split and ByteLevel");
  }
  const JsonNode type = node->Require("type");
  if (type.String() == "ByteLevel") {
    if (!ReadByteLevel(*node)) {
      node->Require("use_regex").RefuseValue("is not known without a Split");
    }
    return FindKind(ByteLevelRegex(), spec);
  }
  RequireType(*node, "Sequence");
  node->AllowOnly({"type", "pretokenizers"});
  const JsonNode parts = node->Require("pretokenizers");
  parts.RequireArray();
  if (parts.value().size() != 2) {
    parts.RefuseValue(
        "is not known to tern; it needs a Split and a ByteLevel pre-tokenizer");
  }
  const PreTokenizer* kind = ReadSplit(parts.At(0), spec);
  if (ReadByteLevel(parts.At(1))) {
    Refuse(ErrorCode::kUnsupported, root.file(), parts.At(1).key(),
           "splits a second time (use_regex), which is not known to tern");
  }
  return kind;
}

void ReadByteLevelDecoder(const JsonNode& root) {
  const auto node = root.Find("decoder");
  if (!node.has_value()) {
    Refuse(ErrorCode::kUnsupported, root.file(), "decoder",
           "missing; tern needs ByteLevel here");
  }
  RequireType(*node, "ByteLevel");
  // Its flags concern only the pre-tokenizer of the same name.
  node->AllowOnly({"type", "add_prefix_space", "trim_offsets", "use_regex"});
}

// The text of a JSON object that replaces `from`; neither needs escapes.
std::string Replace(const std::string& from, const std::string& to) {
  return R"({"type": "Replace", "pattern": {"String": ")" + from +
         R"("}, "content": ")" + to + "\"}";
}

// The text of one whose member `name` lists the objects in `parts`.
std::string Sequence(const std::string& name, const std::string& parts) {
  return R"({"type": "Sequence", ")" + name + "\": [" + parts + "]}";
}

bool IsJson(const JsonNode& node, const std::string& text) {
  return node.value() == *files::ParseJsonObject(text, "what tern knows");
}

void ReadMetaspace(const JsonNode& node, TokenizerSpec& spec) {
  RequireType(node, "Metaspace");
  node.AllowOnly(
      {"type", "replacement", "prepend_scheme", "split", "add_prefix_space"});
  if (node.Require("replacement").String() != kSpace) {
    node.Require("replacement").RefuseValue("is not known; tern needs U+2581");
  }
  // By default it splits, which would keep runs of spaces from merging.
  if (node.Require("split").Bool()) {
    node.Require("split").RefuseValue("is not known to tern");
  }
  const JsonNode scheme = node.Require("prepend_scheme");
  const bool first = scheme.String() == "first";
  if (!first && scheme.String() != "always" && scheme.String() != "never") {
    scheme.RefuseValue("is not known; tern knows first, always and never");
  }
  if (scheme.String() != "never") {
    spec.dummy_prefix = {
        .added = true, .first_only = first, .unless_space = true};
  }
  RequireUnset(node, "add_prefix_space", spec.dummy_prefix.added);
}

void ReadSentencePieceSpaces(const JsonNode& root, TokenizerSpec& spec) {
  const auto normalizer = root.Find("normalizer");
  const auto pre_tokenizer = root.Find("pre_tokenizer");
  if (!normalizer.has_value()) {
    ReadMetaspace(root.Require("pre_tokenizer"), spec);
    return;
  }
  if (pre_tokenizer.has_value()) {
    pre_tokenizer->Require("type").RefuseValue(
        "is not known beside a normalizer in a SentencePiece vocabulary");
  }
  const std::string replace = Replace(" ", kSpace);
  const std::string prepend =
      R"({"type": "Prepend", "prepend": ")" + std::string(kSpace) + "\"}";
  if (IsJson(*normalizer, Sequence("normalizers", prepend + "," + replace))) {
    spec.dummy_prefix.added = true;
  } else if (!IsJson(*normalizer, replace)) {
    normalizer->RefuseValue(
        "is not known to tern; it knows Prepend and Replace of SentencePiece's "
        "space");
  }
}

void CheckSentencePieceDecoder(const JsonNode& root,
                               const TokenizerSpec& spec) {
  std::string parts =
      Replace(kSpace, " ") + R"(, {"type": "ByteFallback"}, {"type": "Fuse"})";
  if (spec.dummy_prefix.added) {
    parts += R"(, {"type": "Strip", "content": " ", "start": 1, "stop": 0})";
  }
  const JsonNode decoder = root.Require("decoder");
  if (!IsJson(decoder, Sequence("decoders", parts))) {
    decoder.RefuseValue(
        "does not undo what comes before the model; tern needs Replace, "
        "ByteFallback, Fuse, and Strip where a space is put first");
  }
}

}  // namespace

void ReadPipeline(const JsonNode& root, TokenizerSpec& spec) {
  if (spec.kind == VocabularyKind::kSentencePiece) {
    ReadSentencePieceSpaces(root, spec);
    CheckSentencePieceDecoder(root, spec);
    return;
  }
  ReadByteLevelNormalizer(root, spec);
  spec.pre_tokenizer = ReadPreTokenizer(root, spec);
  ReadByteLevelDecoder(root);
}

}  // namespace tern::tokenizer
