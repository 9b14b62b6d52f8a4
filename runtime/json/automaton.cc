#include "runtime/json/automaton.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>

namespace tern::json {
namespace {

// A state takes a kilobyte, and 8 bytes for each of its stacks.
constexpr std::size_t kMostStates = 16384;
constexpr std::size_t kMostFrames = 1U << 20U;  // of 64 bytes with their number
constexpr std::int32_t kUnknown = -2;
// How many stacks are followed, or one for each part of the schema if those are
// more: so that no anyOf by itself is cut.  Each level of an anyOf of arrays
// that cannot be told apart doubles them: 2^32 for 65 bytes of schema.
constexpr std::size_t kLeastStacks = 256;
// Reads of a step, for each stack that is followed, after which no other stack
// is read: a step takes a millisecond or two at the most.  One stack alone
// takes a few for each part of the schema, so the first ones are always read.
constexpr std::size_t kReadsPerStack = 8;

constexpr std::uint32_t kSpaces = 20;
constexpr std::uint32_t kNoNode = 0xFFFFFFFF;
// Of a kKey frame: index << kNameShift | bytes, the first of the listed names
// that begin with the bytes read.  A schema has at most 2000 nodes.
constexpr std::uint32_t kNoName = 0xFFFFFFFF;
constexpr unsigned kNameShift = 20;

// Of a number: what was read last.
enum NumberState : std::uint32_t {
  kStart,
  kMinus,
  kZero,
  kDigits,
  kPoint,
  kFraction,
  kE,
  kESign,
  kExponent,
};
// Added to the state of a number without point and exponent.
constexpr std::uint32_t kIntegerBit = 16;
// Digits in a row: so that every number fits a double, and integers 64 bits.
constexpr std::uint32_t kMostDigits = 18;
constexpr std::uint32_t kMostExponentDigits = 2;

void KeepOneOfEach(std::vector<std::uint32_t>& numbers) {
  std::sort(numbers.begin(), numbers.end());
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
}

bool IsDigit(unsigned char byte) { return byte >= '0' && byte <= '9'; }
bool IsSpace(unsigned char byte) {
  return byte == ' ' || byte == '\n' || byte == '\t' || byte == '\r';
}
bool IsComplete(std::uint32_t number) {
  const std::uint32_t state = number % kIntegerBit;
  return state == kZero || state == kDigits || state == kFraction ||
         state == kExponent;
}

// What a number is after one more character, and how many digits stand in a row
// then.
struct NumberStep {
  bool is_taken = false;
  std::uint32_t state = 0;
  std::uint32_t digits = 0;
};

NumberStep AfterDigit(std::uint32_t state, std::uint32_t digits,
                      unsigned char byte) {
  switch (state) {
    case kStart:
    case kMinus:
      return {true, byte == '0' ? kZero : kDigits, 1};
    case kDigits:
    case kFraction:
      return {digits < kMostDigits, state, digits + 1};
    case kPoint:
      return {true, kFraction, 1};
    case kE:
    case kESign:
      return {true, kExponent, 1};
    case kExponent:
      return {digits < kMostExponentDigits, state, digits + 1};
    default:
      return {};
  }
}

NumberStep AfterCharacter(std::uint32_t state, std::uint32_t digits,
                          bool is_integer, unsigned char byte) {
  if (IsDigit(byte)) return AfterDigit(state, digits, byte);
  if (byte == '-' && state == kStart) return {true, kMinus, 0};
  if (is_integer) return {};
  const bool after_whole = state == kZero || state == kDigits;
  if (byte == '.' && after_whole) return {true, kPoint, 0};
  if ((byte == 'e' || byte == 'E') && (after_whole || state == kFraction)) {
    return {true, kE, 0};
  }
  if ((byte == '+' || byte == '-') && state == kE) return {true, kESign, 0};
  return {};
}

}  // namespace

Automaton::Automaton(const Schema& schema)
    : schema_(schema),
      most_stacks_(std::max(kLeastStacks, schema.CountParts())) {
  frames_.emplace_back();  // 0: none
  start_ = StateOf({Push(Kind::kValue, 0, 0, 0)});
}

std::uint32_t Automaton::Push(Kind kind, std::uint32_t x, std::uint32_t y,
                              std::uint32_t below) {
  const auto [place, is_new] = frame_numbers_.try_emplace(
      {kind, x, y, below}, static_cast<std::uint32_t>(frames_.size()));
  if (is_new) {
    const bool nests = kind >= Kind::kArray && kind <= Kind::kObjectFirst;
    frames_.push_back(
        {kind, x, y, below, frames_[below].depth + (nests ? 1 : 0)});
  }
  return place->second;
}

std::uint32_t Automaton::PushText(const std::string& text,
                                  std::uint32_t below) {
  const auto [place, is_new] = text_numbers_.try_emplace(
      text, static_cast<std::uint32_t>(texts_.size()));
  if (is_new) texts_.push_back(text);
  return Push(Kind::kLiteral, place->second, 0, below);
}

int Automaton::StateOf(std::vector<std::uint32_t> stacks) {
  if (stacks.empty()) return kDead;
  KeepOneOfEach(stacks);
  // Each of them can be brought to an end without the others.
  if (stacks.size() > most_stacks_) stacks.resize(most_stacks_);
  const auto [place, is_new] =
      state_numbers_.try_emplace(stacks, static_cast<int>(states_.size()));
  if (is_new) {
    states_.emplace_back();
    states_.back().stacks = std::move(stacks);
    states_.back().next.fill(kUnknown);
  }
  return place->second;
}

int Automaton::Forget(int state) {
  if (states_.size() < kMostStates && frames_.size() < kMostFrames) {
    return state;
  }
  std::vector<std::uint32_t> stacks =
      states_[static_cast<std::size_t>(state)].stacks;
  states_.clear();
  state_numbers_.clear();
  KeepFramesOf(stacks);
  return StateOf(std::move(stacks));
}

// A frame's number is above that of the one below it.
void Automaton::KeepFramesOf(std::vector<std::uint32_t>& stacks) {
  const std::vector<Frame> old = std::exchange(frames_, {Frame()});
  frame_numbers_.clear();
  std::vector<bool> is_kept(old.size());
  for (std::uint32_t at : stacks) {
    for (; at != 0 && !is_kept[at]; at = old[at].below) is_kept[at] = true;
  }
  std::vector<std::uint32_t> number(old.size());
  for (std::size_t i = 1; i < old.size(); ++i) {
    const Frame& frame = old[i];
    if (is_kept[i]) {
      number[i] = Push(frame.kind, frame.x, frame.y, number[frame.below]);
    }
  }
  for (std::uint32_t& stack : stacks) stack = number[stack];
}

// Whether another stack may be read in this step.
bool Automaton::HasRoom() {
  if (reads_ > kReadsPerStack * most_stacks_) return false;
  if (out_.size() < 2 * most_stacks_) return true;
  KeepOneOfEach(out_);
  return out_.size() < most_stacks_;
}

int Automaton::Step(int state, unsigned char byte) {
  const auto at = static_cast<std::size_t>(state);
  if (states_[at].next[byte] == kUnknown) {
    out_.clear();
    reads_ = 0;
    const std::vector<std::uint32_t> stacks = states_[at].stacks;
    for (const std::uint32_t stack : stacks) {
      if (!HasRoom()) break;
      Read(stack, byte);
    }
    const int next = StateOf(out_);
    states_[at].next[byte] = next;
  }
  return states_[at].next[byte];
}

bool Automaton::IsComplete(int state) const {
  const std::vector<std::uint32_t>& stacks =
      states_[static_cast<std::size_t>(state)].stacks;
  return std::any_of(stacks.begin(), stacks.end(),
                     [&](std::uint32_t stack) { return CanEnd(stack); });
}

bool Automaton::CanEnd(std::uint32_t stack) const {
  for (; stack != 0; stack = frames_[stack].below) {
    const Frame& frame = frames_[stack];
    const bool may_end =
        frame.kind == Kind::kSpace ||
        (frame.kind == Kind::kNumber && json::IsComplete(frame.x));
    if (!may_end) return false;
  }
  return true;
}

// ------------------------------------------------------------------ bytes

void Automaton::Read(std::uint32_t stack, unsigned char byte) {
  ++reads_;
  if (stack == 0) return;  // the document is complete
  const Frame frame = frames_[stack];
  switch (frame.kind) {
    case Kind::kLiteral: {
      const std::string& text = texts_[frame.x];
      if (static_cast<unsigned char>(text[frame.y]) != byte) return;
      out_.push_back(frame.y + 1 == text.size()
                         ? frame.below
                         : Push(frame.kind, frame.x, frame.y + 1, frame.below));
      return;
    }
    case Kind::kSpace:
      if (IsSpace(byte)) {
        if (frame.x == 0) return;
        out_.push_back(Push(frame.kind, frame.x - 1, 0, frame.below));
      } else {
        Read(frame.below, byte);
      }
      return;
    case Kind::kValue:
      return ReadValue(frame, byte);
    case Kind::kString:
      return ReadString(frame, byte);
    case Kind::kContinue: {
      const std::uint32_t least = frame.y / 256;
      const std::uint32_t most = frame.y % 256;
      if (byte < least || byte > most) return;
      out_.push_back(frame.x == 1 ? frame.below
                                  : Push(frame.kind, frame.x - 1,
                                         0x80 * 256 + 0xBF, frame.below));
      return;
    }
    case Kind::kEscape:
      if (byte == 'u') out_.push_back(Push(Kind::kHex, 0, 0, frame.below));
      if (std::string_view("\"\\/bfnrt").find(static_cast<char>(byte)) !=
          std::string_view::npos) {
        out_.push_back(frame.below);
      }
      return;
    case Kind::kHex:
      return ReadHex(frame, byte);
    case Kind::kNumber:
      return ReadNumber(frame, byte);
    case Kind::kArray:
    case Kind::kArrayNext:
    case Kind::kArrayFirst:
      return ReadArray(frame, byte);
    case Kind::kObject:
    case Kind::kObjectNext:
    case Kind::kObjectFirst:
      return ReadObject(frame, byte);
    case Kind::kKey:
      return ReadKey(frame, byte);
  }
}

// Whether a value of the node has room where `depth` levels are around it.
bool Automaton::Fits(std::size_t node, std::uint32_t depth) const {
  const std::size_t needed = schema_[node].depth;
  return needed != kNever && depth + needed <= kMostDepth;
}

// Each node that anyOf leads to is read once: of two ways to the same one at
// each of n levels there would be 2^n.
void Automaton::ReadValue(const Frame& frame, unsigned char byte) {
  std::vector<std::size_t> open = {frame.x};
  std::set<std::size_t> seen;
  while (!open.empty()) {
    const std::size_t at = open.back();
    open.pop_back();
    ++reads_;
    const std::vector<std::size_t>& others = schema_[at].any_of;
    if (others.empty()) {
      ReadPlain({frame.kind, static_cast<std::uint32_t>(at), 0, frame.below,
                 frame.depth},
                byte);
    }
    // The first of them comes next.
    for (auto other = others.rbegin(); other != others.rend(); ++other) {
      if (Fits(*other, frame.depth) && seen.insert(*other).second) {
        open.push_back(*other);
      }
    }
  }
}

// A value of a node that is no anyOf.
void Automaton::ReadPlain(const Frame& frame, unsigned char byte) {
  const Node& node = schema_[frame.x];
  if (node.has_literals) {
    for (const std::string& text : node.literals) {
      Read(PushText(text, frame.below), byte);
    }
    return;
  }
  ReadScalars(node, frame, byte);
  const auto has_room = [&](std::size_t depth) {
    return depth != kNever && frame.depth + depth <= kMostDepth;
  };
  if (byte == '[' && (node.types & kArray) != 0 &&
      has_room(schema_.ArrayDepth(node))) {
    out_.push_back(Push(Kind::kSpace, kSpaces, 0,
                        Push(Kind::kArrayFirst, frame.x, 0, frame.below)));
  }
  if (byte == '{' && (node.types & kObject) != 0 &&
      has_room(schema_.ObjectDepth(node))) {
    out_.push_back(Push(Kind::kSpace, kSpaces, 0,
                        Push(Kind::kObjectFirst, frame.x, 0, frame.below)));
  }
}

void Automaton::ReadScalars(const Node& node, const Frame& frame,
                            unsigned char byte) {
  if ((node.types & kNull) != 0) Read(PushText("null", frame.below), byte);
  if ((node.types & kBoolean) != 0) {
    Read(PushText("true", frame.below), byte);
    Read(PushText("false", frame.below), byte);
  }
  if ((node.types & kNumber) != 0) {
    Read(Push(Kind::kNumber, kStart, 0, frame.below), byte);
  } else if ((node.types & kInteger) != 0) {
    Read(Push(Kind::kNumber, kIntegerBit + kStart, 0, frame.below), byte);
  }
  if (byte == '"' && (node.types & kString) != 0 &&
      node.length.least <= node.length.most) {
    out_.push_back(Push(Kind::kString, frame.x, 0, frame.below));
  }
}

// A character of a string that begins with `byte`, and then `then`.
void Automaton::ReadCharacter(unsigned char byte, std::uint32_t then) {
  const auto more = [&](std::uint32_t count, std::uint32_t least = 0x80,
                        std::uint32_t most = 0xBF) {
    out_.push_back(Push(Kind::kContinue, count, least * 256 + most, then));
  };
  // RFC 3629: no overlong forms, no surrogates, nothing beyond U+10FFFF.
  if (byte < 0x20) return;
  if (byte < 0x80) {
    out_.push_back(then);
  } else if (byte >= 0xC2 && byte <= 0xDF) {
    more(1);
  } else if (byte == 0xE0) {
    more(2, 0xA0);
  } else if (byte == 0xED) {
    more(2, 0x80, 0x9F);
  } else if (byte >= 0xE1 && byte <= 0xEF) {
    more(2);
  } else if (byte == 0xF0) {
    more(3, 0x90);
  } else if (byte == 0xF4) {
    more(3, 0x80, 0x8F);
  } else if (byte >= 0xF1 && byte <= 0xF3) {
    more(3);
  }
}

void Automaton::ReadString(const Frame& frame, unsigned char byte) {
  const Range length = frame.x == kNoNode ? Range{} : schema_[frame.x].length;
  if (byte == '"') {
    if (frame.y >= length.least) out_.push_back(frame.below);
    return;
  }
  if (frame.y >= length.most) return;
  // Counted no further than it matters, so that states come again.
  const std::size_t counted =
      length.most != kUnlimited ? length.most : length.least;
  const std::uint32_t then = Push(
      Kind::kString, frame.x,
      static_cast<std::uint32_t>(std::min<std::size_t>(frame.y + 1, counted)),
      frame.below);
  if (byte == '\\') {
    out_.push_back(Push(Kind::kEscape, 0, 0, then));
  } else {
    ReadCharacter(byte, then);
  }
}

// Four digits that are no half of a surrogate pair: D800 to DFFF.
void Automaton::ReadHex(const Frame& frame, unsigned char byte) {
  const bool is_letter =
      (byte >= 'a' && byte <= 'f') || (byte >= 'A' && byte <= 'F');
  if (!IsDigit(byte) && !is_letter) return;
  if (frame.x == 1 && frame.y == 1 && (is_letter || byte > '7')) return;
  const bool is_d = frame.x == 0 && (byte == 'd' || byte == 'D');
  out_.push_back(
      frame.x == 3 ? frame.below
                   : Push(frame.kind, frame.x + 1, is_d ? 1 : 0, frame.below));
}

void Automaton::ReadNumber(const Frame& frame, unsigned char byte) {
  const bool is_integer = frame.x >= kIntegerBit;
  const NumberStep step =
      AfterCharacter(frame.x % kIntegerBit, frame.y, is_integer, byte);
  if (step.is_taken) {
    out_.push_back(Push(frame.kind,
                        step.state + (is_integer ? kIntegerBit : 0U),
                        step.digits, frame.below));
  } else if (json::IsComplete(frame.x)) {
    Read(frame.below, byte);
  }
}

// ------------------------------------------------------ arrays and objects

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
      out_.push_back(
          Push(Kind::kSpace, kSpaces, 0,
               Push(Kind::kArrayNext, frame.x, frame.y, frame.below)));
    }
    return;
  }
  if (is_first && !has_room) return;
  const std::size_t counted =
      node.count.most != kUnlimited ? node.count.most : node.count.least;
  const auto items =
      static_cast<std::uint32_t>(std::min<std::size_t>(frame.y + 1, counted));
  const std::uint32_t after =
      Push(Kind::kSpace, kSpaces, 0,
           Push(Kind::kArray, frame.x, items, frame.below));
  Read(Push(Kind::kValue, static_cast<std::uint32_t>(node.items), 0, after),
       byte);
}

void Automaton::ReadObject(const Frame& frame, unsigned char byte) {
  const Node& node = schema_[frame.x];
  const auto is_optional = [](const Property& property) {
    return !property.is_required;
  };
  const auto next =
      node.properties.begin() + static_cast<std::ptrdiff_t>(frame.y);
  if (byte == '}' && frame.kind != Kind::kObjectNext &&
      std::all_of(next, node.properties.end(), is_optional)) {
    out_.push_back(frame.below);
    return;
  }
  if (frame.kind != Kind::kObject) {
    ReadNames(frame, byte);
  } else if (byte == ',' && HasMoreNames(frame)) {
    out_.push_back(
        Push(Kind::kSpace, kSpaces, 0,
             Push(Kind::kObjectNext, frame.x, frame.y, frame.below)));
  }
}

// Whether a property may still come.
bool Automaton::HasMoreNames(const Frame& frame) const {
  const Node& node = schema_[frame.x];
  for (std::size_t i = frame.y; i < node.properties.size(); ++i) {
    if (Fits(node.properties[i].node, frame.depth)) return true;
    if (node.properties[i].is_required) return false;
  }
  return node.additional != kNever && Fits(node.additional, frame.depth);
}

// The names that may come: those from the next one on up to the first that is
// required, and if none is, others.
void Automaton::ReadNames(const Frame& frame, unsigned char byte) {
  if (byte != '"') return;
  const Node& node = schema_[frame.x];
  for (std::size_t i = frame.y; i < node.properties.size(); ++i) {
    ReadName(frame, i, byte);
    if (node.properties[i].is_required) return;
  }
  ReadName(frame, node.properties.size(), byte);
}

// The name of one property (of any other beyond the last), its colon and value.
void Automaton::ReadName(const Frame& frame, std::size_t property,
                         unsigned char byte) {
  const Node& node = schema_[frame.x];
  const bool is_listed = property < node.properties.size();
  const std::size_t value =
      is_listed ? node.properties[property].node : node.additional;
  if (value == kNever || !Fits(value, frame.depth)) return;
  const auto next = static_cast<std::uint32_t>(
      is_listed ? property + 1 : node.properties.size());
  std::uint32_t stack = Push(Kind::kObject, frame.x, next, frame.below);
  stack = Push(Kind::kSpace, kSpaces, 0, stack);
  stack = Push(Kind::kValue, static_cast<std::uint32_t>(value), 0, stack);
  stack = Push(Kind::kSpace, kSpaces, 0, stack);
  stack = PushText(":", stack);
  stack = Push(Kind::kSpace, kSpaces, 0, stack);
  if (is_listed) {
    Read(PushText(node.properties[property].name, stack), byte);
  } else if (node.properties.empty()) {
    out_.push_back(Push(Kind::kString, kNoNode, 0, stack));
  } else {
    out_.push_back(Push(Kind::kKey, frame.x, 1, stack));
  }
}

// Another name than the listed ones.  They are compared byte by byte, so it is
// written without escapes; and beyond ASCII it must not share the first byte of
// a character with a listed one that it is equal to so far.
void Automaton::ReadKey(const Frame& frame, unsigned char byte) {
  if (byte == '\\') return;
  const std::vector<Property>& listed = schema_[frame.x].properties;
  std::uint32_t next = kNoName;
  if (frame.y != kNoName) {
    const std::size_t size = frame.y & ((1U << kNameShift) - 1);
    const std::string text =
        listed[frame.y >> kNameShift].name.substr(0, size) +
        static_cast<char>(byte);
    for (std::size_t i = 0; i < listed.size() && next == kNoName; ++i) {
      if (listed[i].name.compare(0, size + 1, text) != 0) continue;
      if (byte == '"' || byte >= 0x80) return;
      next = static_cast<std::uint32_t>(i << kNameShift | (size + 1));
    }
  }
  if (byte == '"') {
    out_.push_back(frame.below);
  } else {
    ReadCharacter(byte, Push(frame.kind, frame.x, next, frame.below));
  }
}

}  // namespace tern::json
