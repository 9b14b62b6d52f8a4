// The automaton in objects and their names.
#include "runtime/json/automaton.h"

namespace tern::json {
void Automaton::ReadObject(const Frame& frame, unsigned char byte) {
  const Node& node = schema_[frame.x];
  if (byte == '}') {
    if (frame.kind != Kind::kObjectNext &&
        node.next_required[frame.y] == node.properties.size()) {
      out_.push_back(frame.below);
    }
  } else if (frame.kind != Kind::kObject) {
    if (byte == '"') ReadNames(frame);
  } else if (byte == ',' && HasMoreNames(frame)) {
    out_.push_back(PushSpace(
        frames_.Push(Kind::kObjectNext, frame.x, frame.y, frame.below)));
  }
}

// Whether a property may still come.
bool Automaton::HasMoreNames(const Frame& frame) {
  const Node& node = schema_[frame.x];
  const std::size_t required = node.next_required[frame.y];
  // It was looked at before the object began.
  if (required < node.properties.size()) return true;
  for (std::size_t i = frame.y; i < required; ++i) {
    ++looks_;
    if (Fits(node.properties[i].node, frame.depth)) return true;
  }
  return node.additional != kNever && Fits(node.additional, frame.depth);
}

// The first byte of a name.  Those may come that are listed from the next one
// on up to the first that is required, and if none is, others.
void Automaton::ReadNames(const Frame& frame) {
  const Node& node = schema_[frame.x];
  const Frame object{Kind::kObject, frame.x, frame.y, frame.below, frame.depth};
  std::uint32_t names = kNoText;
  if (node.names != kNoText) {
    names = schema_.texts().Child(node.names, '"');
    if (MayCome(object, names)) {
      const std::uint32_t below =
          frames_.Push(object.kind, object.x, object.y, object.below);
      out_.push_back(frames_.Push(Kind::kName, names, 0, below));
    }
  }
  if (node.next_required[frame.y] < node.properties.size() ||
      node.additional == kNever || !Fits(node.additional, frame.depth)) {
    return;
  }
  const std::uint32_t stack =
      PushAfterName(object, node.additional, node.properties.size());
  out_.push_back(names == kNoText
                     ? frames_.Push(Kind::kString, kNoNode, 0, stack)
                     : frames_.Push(Kind::kKey, names, 0, stack));
}

// Whether one of the names that begin so may come in the object.
bool Automaton::MayCome(const Frame& object, std::uint32_t names) {
  const Node& node = schema_[object.x];
  const std::size_t last = node.next_required[object.y];
  for (const std::uint32_t i : schema_.texts().Texts(names)) {
    ++looks_;
    if (i >= object.y && i <= last &&
        Fits(node.properties[i].node, object.depth)) {
      return true;
    }
  }
  return false;
}

void Automaton::ReadName(const Frame& frame, unsigned char byte) {
  const std::uint32_t names = schema_.texts().Child(frame.x, byte);
  const Frame object = frames_[frame.below];
  if (names == kNoText || !MayCome(object, names)) return;
  if (schema_.texts().Ends(names)) {
    const std::size_t property = schema_.texts().Texts(names).front();
    out_.push_back(PushAfterName(
        object, schema_[object.x].properties[property].node, property + 1));
  } else {
    out_.push_back(frames_.Push(frame.kind, names, 0, frame.below));
  }
}

// Another name than the listed ones.  They are compared byte by byte, so it is
// written without escapes; and beyond ASCII it must not share the first byte of
// a character with a listed one that it is equal to so far.
void Automaton::ReadKey(const Frame& frame, unsigned char byte) {
  if (byte == '\\') return;
  const std::uint32_t names =
      frame.x == kNoText ? kNoText : schema_.texts().Child(frame.x, byte);
  if (names != kNoText && (byte == '"' || byte >= 0x80)) return;
  if (byte == '"') {
    out_.push_back(frame.below);
  } else {
    ReadCharacter(byte, frames_.Push(frame.kind, names, 0, frame.below));
  }
}

// The colon, the value, and what of the object follows them.
std::uint32_t Automaton::PushAfterName(const Frame& object, std::size_t value,
                                       std::size_t next) {
  std::uint32_t stack = frames_.Push(
      Kind::kObject, object.x, static_cast<std::uint32_t>(next), object.below);
  stack = PushSpace(stack);
  stack =
      frames_.Push(Kind::kValue, static_cast<std::uint32_t>(value), 0, stack);
  stack = PushSpace(stack);
  stack = frames_.Push(Kind::kColon, 0, 0, stack);
  return PushSpace(stack);
}

}  // namespace tern::json
