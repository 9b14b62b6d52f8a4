// The automaton in values other than strings and objects.
#include <algorithm>

#include "runtime/json/automaton.h"
#include "runtime/json/number.h"

namespace tern::json {

bool Automaton::MayBegin(std::size_t node, unsigned char byte) const {
  return schema_[node].first_bytes.find(static_cast<char>(byte)) !=
         std::string::npos;
}

void Automaton::ReadValue(std::uint32_t node, std::uint32_t below,
                          unsigned char byte) {
  if (!MayBegin(node, byte)) return;
  const std::uint32_t depth = frames_[below].depth;
  for (const std::uint32_t alternative : schema_[node].alternatives) {
    ++looks_;
    if (Fits(alternative, depth)) ReadPlain(alternative, below, byte);
  }
}

// A value of a node that is no anyOf.
void Automaton::ReadPlain(std::uint32_t index, std::uint32_t below,
                          unsigned char byte) {
  const Node& node = schema_[index];
  if (node.has_literals) {
    if (node.texts != kNoText) ReadText(node.texts, below, byte);
    return;
  }
  const auto has_room = [&](std::size_t depth) {
    return depth != kNever && frames_[below].depth + depth <= kMostDepth;
  };
  const auto is = [&](unsigned types) { return (node.types & types) != 0; };
  if (byte == '"') {
    if (is(kString) && node.length.least <= node.length.most) {
      out_.push_back(frames_.Push(Kind::kString, index, 0, below));
    }
  } else if (byte == '[') {
    if (is(kArray) && has_room(schema_.ArrayDepth(node))) {
      out_.push_back(
          PushSpace(frames_.Push(Kind::kArrayFirst, index, 0, below)));
    }
  } else if (byte == '{') {
    if (is(kObject) && has_room(schema_.ObjectDepth(node))) {
      out_.push_back(
          PushSpace(frames_.Push(Kind::kObjectFirst, index, 0, below)));
    }
  } else if (byte == 'n') {
    if (is(kNull)) ReadText(schema_.null_text(), below, byte);
  } else if (byte == 't' || byte == 'f') {
    if (is(kBoolean)) ReadText(schema_.boolean_texts(), below, byte);
  } else if (is(kNumber | kInteger)) {
    const Number start = is(kNumber) ? Number::Any() : Number::Integer();
    ReadNumber({Kind::kNumber, start.state, start.digits, below, 0}, byte);
  }
}

// One of the texts that begin with `from`.
void Automaton::ReadText(std::uint32_t from, std::uint32_t below,
                         unsigned char byte) {
  const std::uint32_t next = schema_.texts().Child(from, byte);
  if (next == kNoText) return;
  if (schema_.texts().Ends(next)) out_.push_back(below);
  if (schema_.texts().GoesOn(next)) {
    out_.push_back(frames_.Push(Kind::kLiteral, next, 0, below));
  }
}

void Automaton::ReadNumber(const Frame& frame, unsigned char byte) {
  Number number{frame.x, frame.y};
  if (number.Read(byte)) {
    out_.push_back(
        frames_.Push(frame.kind, number.state, number.digits, frame.below));
  } else if (number.IsComplete()) {
    Read(frame.below, byte);
  }
}

void Automaton::ReadArray(const Frame& frame, unsigned char byte) {
  const Node& node = schema_[frame.x];
  const bool is_first = frame.kind == Kind::kArrayFirst;
  if (byte == ']' && frame.kind != Kind::kArrayNext &&
      frame.y >= node.count.least) {
    out_.push_back(frame.below);
    return;
  }
  const bool has_room =
      frame.y < node.count.most && Fits(node.items, frame.depth);
  if (frame.kind == Kind::kArray) {
    if (byte == ',' && has_room) {
      out_.push_back(PushSpace(
          frames_.Push(Kind::kArrayNext, frame.x, frame.y, frame.below)));
    }
    return;
  }
  if ((is_first && !has_room) || !MayBegin(node.items, byte)) return;
  // Counted no further than it matters, so that states come again.
  const std::size_t counted =
      node.count.most != kUnlimited ? node.count.most : node.count.least;
  const auto items =
      static_cast<std::uint32_t>(std::min<std::size_t>(frame.y + 1, counted));
  ReadValue(static_cast<std::uint32_t>(node.items),
            PushSpace(frames_.Push(Kind::kArray, frame.x, items, frame.below)),
            byte);
}

}  // namespace tern::json
