// Reads a JSON text byte by byte and knows at each whether it can still become
// a document that the schema describes.
//
// What is expected of the rest of a text is a stack of frames: on top the value
// or the piece of syntax that comes next, below it what follows that.  Where a
// schema leaves open which of several things is being read (anyOf), several
// stacks are followed at once.  Stacks share their lower frames, and equal
// stacks are one: so a set of stacks is a set of numbers, sets that were met
// before are recognised, and their transitions are kept in a table.  So walking
// a vocabulary costs little more than a look-up a byte.  Of too many stacks the
// first are followed (tern/json_constraint.h).
//
// One thread at a time.
#ifndef TERN_RUNTIME_JSON_AUTOMATON_H_
#define TERN_RUNTIME_JSON_AUTOMATON_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "runtime/json/schema.h"

namespace tern::json {

class Automaton {
 public:
  // `schema` must outlive it.
  explicit Automaton(const Schema& schema);

  // States are numbers from 0 on; they are forgotten by Forget.
  static constexpr int kDead = -1;
  [[nodiscard]] int start() const { return start_; }
  // The state after one more byte, or kDead.
  int Step(int state, unsigned char byte);
  // Whether the text may end here.
  [[nodiscard]] bool IsComplete(int state) const;
  // If there are too many states or frames, drops all but this one and its own,
  // and returns its new number.
  int Forget(int state);

 private:
  enum class Kind : std::uint8_t {
    kLiteral,     // x: text, y: bytes read
    kSpace,       // x: bytes of white space that may come
    kValue,       // x: node
    kString,      // x: node (kNoNode: no limits), y: characters
    kContinue,    // bytes of a character: x: bytes, y: bounds of the next
    kEscape,      // after a backslash
    kHex,         // x: digits read, y: 1 after a first D
    kNumber,      // x: NumberState, y: digits in a row
    kArray,       // x: node, y: items
    kArrayNext,   // after a comma
    kArrayFirst,  // after the bracket
    kObject,      // x: node, y: next property
    kObjectNext,
    kObjectFirst,
    kKey,  // of an additional property; x: node, y: which listed one it begins
           // like (kNoName: none)
  };
  struct Frame {
    Kind kind = Kind::kValue;
    std::uint32_t x = 0;
    std::uint32_t y = 0;
    std::uint32_t below = 0;  // frame, 0: none
    std::uint32_t depth = 0;  // arrays and objects up to here
  };
  struct State {
    std::vector<std::uint32_t> stacks;  // their tops, ascending
    std::array<std::int32_t, 256> next{};
  };

  std::uint32_t Push(Kind kind, std::uint32_t x, std::uint32_t y,
                     std::uint32_t below);
  std::uint32_t PushText(const std::string& text, std::uint32_t below);
  int StateOf(std::vector<std::uint32_t> stacks);
  void KeepFramesOf(std::vector<std::uint32_t>& stacks);
  bool HasRoom();
  [[nodiscard]] bool CanEnd(std::uint32_t stack) const;

  // Adds to out_ what `stack` becomes with the byte; nothing if it is not
  // taken.
  void Read(std::uint32_t stack, unsigned char byte);
  void ReadValue(const Frame& frame, unsigned char byte);
  void ReadPlain(const Frame& frame, unsigned char byte);
  void ReadScalars(const Node& node, const Frame& frame, unsigned char byte);
  void ReadString(const Frame& frame, unsigned char byte);
  void ReadHex(const Frame& frame, unsigned char byte);
  void ReadNumber(const Frame& frame, unsigned char byte);
  void ReadArray(const Frame& frame, unsigned char byte);
  void ReadObject(const Frame& frame, unsigned char byte);
  void ReadNames(const Frame& frame, unsigned char byte);
  void ReadKey(const Frame& frame, unsigned char byte);
  void ReadCharacter(unsigned char byte, std::uint32_t then);
  void ReadName(const Frame& frame, std::size_t property, unsigned char byte);
  [[nodiscard]] bool Fits(std::size_t node, std::uint32_t depth) const;
  [[nodiscard]] bool HasMoreNames(const Frame& frame) const;

  const Schema& schema_;
  const std::size_t most_stacks_;
  std::vector<std::string> texts_;
  std::map<std::string, std::uint32_t> text_numbers_;
  std::vector<Frame> frames_;
  std::map<std::tuple<Kind, std::uint32_t, std::uint32_t, std::uint32_t>,
           std::uint32_t>
      frame_numbers_;
  std::vector<State> states_;
  std::map<std::vector<std::uint32_t>, int> state_numbers_;
  std::vector<std::uint32_t> out_;  // of the step that is being made
  std::size_t reads_ = 0;           // in it
  int start_ = 0;
};

}  // namespace tern::json

#endif  // TERN_RUNTIME_JSON_AUTOMATON_H_
