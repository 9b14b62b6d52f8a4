#include "runtime/json/frames.h"

namespace tern::json {
namespace {

constexpr std::size_t kLeastTable = 256;  // a power of two, as all sizes

std::size_t Hash(const Frame& frame) {
  // Odd numbers without a pattern, of 64 bits.
  constexpr std::uint64_t kFirst = 0x9E3779B97F4A7C15;
  constexpr std::uint64_t kSecond = 0xD6E8FEB86659FD93;
  std::uint64_t hash = (std::uint64_t{frame.x} << 32U | frame.below) * kFirst;
  hash ^= hash >> 29U;
  hash += std::uint64_t{frame.y} << 8U | static_cast<std::uint64_t>(frame.kind);
  hash *= kSecond;
  return static_cast<std::size_t>(hash ^ (hash >> 32U));
}

bool IsSame(const Frame& a, const Frame& b) {
  return a.kind == b.kind && a.x == b.x && a.y == b.y && a.below == b.below;
}

}  // namespace

Frames::Frames() : frames_(1), table_(kLeastTable) {}

std::size_t Frames::PlaceOf(const Frame& frame) const {
  const std::size_t mask = table_.size() - 1;
  std::size_t at = Hash(frame) & mask;
  while (table_[at] != 0 && !IsSame(frames_[table_[at]], frame)) {
    at = (at + 1) & mask;
  }
  return at;
}

std::uint32_t Frames::Push(Kind kind, std::uint32_t x, std::uint32_t y,
                           std::uint32_t below) {
  ++pushes_;
  Frame frame{kind, x, y, below, 0};
  const std::size_t at = PlaceOf(frame);
  if (table_[at] != 0) return table_[at];
  const bool nests = kind >= Kind::kArray && kind <= Kind::kObjectFirst;
  frame.depth = frames_[below].depth + (nests ? 1 : 0);
  const auto number = static_cast<std::uint32_t>(frames_.size());
  frames_.push_back(frame);
  ++made_;
  table_[at] = number;
  if (2 * frames_.size() > table_.size()) Grow();
  return number;
}

void Frames::Grow() {
  table_.assign(2 * table_.size(), 0);
  for (std::uint32_t i = 1; i < frames_.size(); ++i) {
    table_[PlaceOf(frames_[i])] = i;
  }
}

Frames Frames::Only(std::vector<std::uint32_t>& stacks) const {
  std::vector<bool> is_kept(frames_.size());
  for (std::uint32_t at : stacks) {
    for (; at != 0 && !is_kept[at]; at = frames_[at].below) is_kept[at] = true;
  }
  Frames only;
  std::vector<std::uint32_t> number(frames_.size());
  for (std::size_t i = 1; i < frames_.size(); ++i) {
    const Frame& frame = frames_[i];
    if (is_kept[i]) {
      number[i] = only.Push(frame.kind, frame.x, frame.y, number[frame.below]);
    }
  }
  for (std::uint32_t& stack : stacks) stack = number[stack];
  only.pushes_ += pushes_;
  only.made_ += made_;
  return only;
}

}  // namespace tern::json
