#include "runtime/json/automaton.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "runtime/json/number.h"

namespace tern::json {
namespace {

// A state takes a kilobyte, and 4 bytes for each of its stacks.
constexpr std::size_t kMostStates = 8192;
constexpr std::size_t kMostFrames = 1U << 18U;  // of 28 to 36 bytes
constexpr std::int32_t kUnknown = -2;
constexpr std::uint32_t kSpaces = 20;

void KeepOneOfEach(std::vector<std::uint32_t>& numbers) {
  std::sort(numbers.begin(), numbers.end());
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
}

std::size_t Hash(const std::vector<std::uint32_t>& numbers) {
  std::uint64_t hash = numbers.size();
  for (const std::uint32_t number : numbers) {
    hash = (hash ^ number) * 0x9E3779B97F4A7C15;
    hash ^= hash >> 32U;
  }
  return static_cast<std::size_t>(hash);
}

// Bytes between which strings make no difference: the characters of ASCII, the
// first bytes of characters, and the further ones.
std::array<unsigned char, 256> MakeClasses() {
  // First bytes of ranges; RFC 3629 tells the rest of them apart.
  constexpr std::array<unsigned char, 16> kFirst = {
      0x20, 0x22, 0x23, 0x5C, 0x5D, 0x80, 0x90, 0xA0,
      0xC0, 0xC2, 0xE0, 0xE1, 0xED, 0xEE, 0xF0, 0xF1};
  std::array<unsigned char, 256> classes{};
  for (std::size_t byte = 0; byte < classes.size(); ++byte) {
    for (const unsigned char first : kFirst) {
      classes[byte] += byte >= first ? 1 : 0;
    }
    // F4, and what is no character.
    if (byte >= 0xF4) classes[byte] += byte == 0xF4 ? 1 : 2;
  }
  // On both sides of the quote and of the backslash.
  for (const std::size_t byte : {0x20, 0x21}) classes[byte] = classes[0x23];
  for (std::size_t byte = 0x5D; byte < 0x80; ++byte) {
    classes[byte] = classes[0x23];
  }
  return classes;
}

const std::array<unsigned char, 256>& Classes() {
  static const std::array<unsigned char, 256> classes = MakeClasses();
  return classes;
}

bool IsSpace(unsigned char byte) {
  return byte == ' ' || byte == '\n' || byte == '\t' || byte == '\r';
}

}  // namespace

Automaton::Automaton(const Schema& schema, std::size_t most_mask_work)
    : schema_(schema), most_mask_work_(most_mask_work) {
  start_ = StateOf({frames_.Push(Kind::kValue, 0, 0, 0)});
}

int Automaton::StateOf(std::vector<std::uint32_t> stacks) {
  if (stacks.empty()) return kDead;
  looks_ += stacks.size();
  KeepOneOfEach(stacks);
  // Each of them can be brought to an end without the others.
  if (stacks.size() > kMostStacks) stacks.resize(kMostStacks);
  const std::size_t hash = Hash(stacks);
  const auto [begin, end] = state_numbers_.equal_range(hash);
  for (auto known = begin; known != end; ++known) {
    const auto at = static_cast<std::size_t>(known->second);
    if (states_[at].stacks == stacks) return known->second;
  }
  ++states_made_;
  const auto number = static_cast<int>(states_.size());
  states_.emplace_back();
  states_.back().stacks = std::move(stacks);
  FindUnknown(states_.back());
  state_numbers_.emplace(hash, number);
  return number;
}

bool Automaton::Forget(int& state) {
  if (states_.size() < kMostStates && frames_.size() < kMostFrames) {
    return false;
  }
  std::vector<std::uint32_t> stacks =
      states_[static_cast<std::size_t>(state)].stacks;
  Frames kept = frames_.Only(stacks);
  // From here on nothing is allocated for which there was no room just now.
  states_.clear();
  state_numbers_.clear();
  frames_ = std::move(kept);
  state = 0;
  StateOf(std::move(stacks));
  return true;
}

// Whether another stack may be read in this step: in any case until one takes
// the byte.
bool Automaton::HasRoom() {
  if (work() > most_step_) return out_.empty();
  if (out_.size() < 2 * kMostStacks) return true;
  KeepOneOfEach(out_);
  return out_.size() < kMostStacks;
}

int Automaton::Step(int state, unsigned char byte) {
  const int next = states_[static_cast<std::size_t>(state)].next[byte];
  return next == kUnknown ? Make(state, byte, kMostStepWork) : next;
}

int Automaton::Make(int state, unsigned char byte, std::size_t most_work) {
  const auto at = static_cast<std::size_t>(state);
  out_.clear();
  is_by_class_ = true;
  most_step_ = work() + most_work;
  for (std::size_t i = 0; i < states_[at].stacks.size() && HasRoom(); ++i) {
    Read(states_[at].stacks[i], byte);
  }
  const int next = StateOf(out_);
  std::array<std::int32_t, 256>& all = states_[at].next;
  all[byte] = next;
  for (std::size_t other = 0; is_by_class_ && other < all.size(); ++other) {
    if (Classes()[other] == Classes()[byte]) all[other] = next;
  }
  return next;
}

void Automaton::BeginMask(int state) {
  most_mask_ = work() + most_mask_work_;
  const auto at = static_cast<std::size_t>(state);
  for (int i = 0; i < 256; ++i) {
    const auto byte = static_cast<unsigned char>(i);
    if (states_[at].next[byte] != kUnknown) continue;
    Make(state, byte, work() > most_mask_ ? 0 : kMostStepWork);
  }
}

int Automaton::StepInMask(int state, unsigned char byte) {
  const int next = states_[static_cast<std::size_t>(state)].next[byte];
  if (next != kUnknown) return next;
  return work() > most_mask_ ? kDead : Step(state, byte);
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
        (frame.kind == Kind::kNumber && Number{frame.x, frame.y}.IsComplete());
    if (!may_end) return false;
  }
  return true;
}

void Automaton::Read(std::uint32_t stack, unsigned char byte) {
  ++looks_;
  if (stack == 0) return;  // the document is complete
  const Frame frame = frames_[stack];
  is_by_class_ = is_by_class_ &&
                 (frame.kind == Kind::kString || frame.kind == Kind::kContinue);
  switch (frame.kind) {
    case Kind::kLiteral:
      return ReadText(frame.x, frame.below, byte);
    case Kind::kSpace:
      if (!IsSpace(byte)) return Read(frame.below, byte);
      if (frame.x == 0) return;
      return out_.push_back(
          frames_.Push(frame.kind, frame.x - 1, 0, frame.below));
    case Kind::kValue:
      return ReadValue(frame.x, frame.below, byte);
    case Kind::kString:
      return ReadString(frame, byte);
    case Kind::kContinue:
      return ReadContinue(frame, byte);
    case Kind::kEscape:
      return ReadEscape(frame, byte);
    case Kind::kHex:
      return ReadHex(frame, byte);
    case Kind::kNumber:
      return ReadNumber(frame, byte);
    case Kind::kColon:
      if (byte == ':') out_.push_back(frame.below);
      return;
    case Kind::kArray:
    case Kind::kArrayNext:
    case Kind::kArrayFirst:
      return ReadArray(frame, byte);
    case Kind::kObject:
    case Kind::kObjectNext:
    case Kind::kObjectFirst:
      return ReadObject(frame, byte);
    case Kind::kName:
      return ReadName(frame, byte);
    case Kind::kKey:
      return ReadKey(frame, byte);
  }
}

// Marks the bytes beyond which no stack of the state takes one, without looking
// closer: they are few between strings.
void Automaton::FindUnknown(State& state) const {
  state.next.fill(kDead);
  const auto add = [&](std::string_view characters) {
    for (const char character : characters) {
      state.next[static_cast<unsigned char>(character)] = kUnknown;
    }
  };
  for (std::uint32_t at : state.stacks) {
    // What may be left out leaves the word to the frame below.
    bool is_optional = true;
    for (; is_optional && at != 0; at = frames_[at].below) {
      const Frame& frame = frames_[at];
      is_optional = frame.kind == Kind::kSpace || frame.kind == Kind::kNumber;
      switch (frame.kind) {
        case Kind::kLiteral:
        case Kind::kName:
          add(schema_.texts().Bytes(frame.x));
          break;
        case Kind::kSpace:
          add(" \n\t\r");
          break;
        case Kind::kValue:
          add(schema_[frame.x].first_bytes);
          break;
        case Kind::kNumber:
          add("0123456789+-.eE");
          break;
        case Kind::kColon:
          add(":");
          break;
        case Kind::kArray:
        case Kind::kArrayNext:
        case Kind::kArrayFirst:
          add(",]");
          add(schema_[schema_[frame.x].items].first_bytes);
          break;
        case Kind::kObject:
        case Kind::kObjectNext:
        case Kind::kObjectFirst:
          add(",}\"");
          break;
        default:  // strings
          state.next.fill(kUnknown);
          return;
      }
    }
  }
}

std::uint32_t Automaton::PushSpace(std::uint32_t below) {
  return frames_.Push(Kind::kSpace, kSpaces, 0, below);
}

// Whether a value of the node has room where `depth` levels are around it.
bool Automaton::Fits(std::size_t node, std::uint32_t depth) const {
  const std::size_t needed = schema_[node].depth;
  return needed != kNever && depth + needed <= kMostDepth;
}

}  // namespace tern::json
