// Stacks of what is expected of the rest of a text (automaton.h).  They share
// their lower frames and equal ones are one, so a stack is a number: that of
// its top.
#ifndef TERN_RUNTIME_JSON_FRAMES_H_
#define TERN_RUNTIME_JSON_FRAMES_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tern::json {

enum class Kind : std::uint8_t {
  kLiteral,     // x: node of the trees of texts
  kSpace,       // x: bytes of white space that may come
  kValue,       // x: node
  kString,      // x: node (kNoNode: no limits), y: characters
  kContinue,    // bytes of a character: x: bytes, y: bounds of the next
  kEscape,      // after a backslash
  kHex,         // x: digits read, y: 1 after a first D
  kNumber,      // x: NumberState, y: digits in a row
  kColon,       // after a name
  kArray,       // x: node, y: items
  kArrayNext,   // after a comma
  kArrayFirst,  // after the bracket
  kObject,      // x: node, y: next property
  kObjectNext,
  kObjectFirst,
  kName,  // of a listed property, above a kObject; x: node of the trees
  kKey,   // of an additional one; x: the listed ones that it begins like, a
          // node of the trees or kNoText
};
inline constexpr std::uint32_t kNoNode = 0xFFFFFFFF;

struct Frame {
  Kind kind = Kind::kValue;
  std::uint32_t x = 0;
  std::uint32_t y = 0;
  std::uint32_t below = 0;  // frame, 0: none
  std::uint32_t depth = 0;  // arrays and objects up to here
};

class Frames {
 public:
  Frames();

  // The number of that frame; it is above that of the one below.
  std::uint32_t Push(Kind kind, std::uint32_t x, std::uint32_t y,
                     std::uint32_t below);
  // Valid until the next Push.
  const Frame& operator[](std::uint32_t at) const { return frames_[at]; }
  [[nodiscard]] std::size_t size() const { return frames_.size(); }
  // Calls of Push since it was made, and those that made a new frame.
  [[nodiscard]] std::size_t pushes() const { return pushes_; }
  [[nodiscard]] std::size_t made() const { return made_; }
  // These stacks alone, to which it gives new numbers.
  [[nodiscard]] Frames Only(std::vector<std::uint32_t>& stacks) const;

 private:
  void Grow();
  // Where the frame is in table_, or the free place for it.
  [[nodiscard]] std::size_t PlaceOf(const Frame& frame) const;

  std::vector<Frame> frames_;         // 0: none
  std::vector<std::uint32_t> table_;  // their numbers by hash; 0: free
  std::size_t pushes_ = 0;
  std::size_t made_ = 0;
};

}  // namespace tern::json

#endif  // TERN_RUNTIME_JSON_FRAMES_H_
