// Reads a JSON text byte by byte and knows at each whether it can still become
// a document that the schema describes.
//
// What is expected of the rest of a text is a stack of frames: on top the value
// or the piece of syntax that comes next, below it what follows that.  Where a
// schema leaves open which of several things is being read (anyOf), several
// stacks are followed at once; the names of an object and the values of an enum
// are one stack, whose top frame is a place in the tree of their bytes.  Stacks
// share their lower frames, and equal stacks are one: so a set of stacks is a
// set of numbers, sets that were met before are recognised, and their
// transitions are kept in a table.  So walking a vocabulary costs little more
// than a look-up a byte.  Of too many stacks the first are followed
// (tern/json_constraint.h).
//
// Work is counted, in units of about 5 ns: 1 for each stack, schema or name
// that is looked at with a byte, and more for what is put together from it.  A
// step ends after kMostStepWork with the stack that takes the byte; the steps
// of a mask together after kMostMaskWork, but for those from its own state, of
// which each byte that may come is found.
//
// One thread at a time.
#ifndef TERN_RUNTIME_JSON_AUTOMATON_H_
#define TERN_RUNTIME_JSON_AUTOMATON_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "runtime/json/frames.h"
#include "runtime/json/schema.h"

namespace tern::json {

class Automaton {
 public:
  // How many stacks are followed: no anyOf by itself is cut.  Each level of an
  // anyOf of arrays that cannot be told apart doubles them: 2^32 for 65 bytes
  // of schema.
  static constexpr std::size_t kMostStacks = kMostAlternatives;
  static constexpr std::size_t kMostStepWork = 128 * kMostStacks;
  static constexpr std::size_t kMostMaskWork = 1500000;

  // `schema` must outlive it.
  explicit Automaton(const Schema& schema,
                     std::size_t most_mask_work = kMostMaskWork);

  // States are numbers from 0 on; they are forgotten by Forget.
  static constexpr int kDead = -1;
  [[nodiscard]] int start() const { return start_; }
  // The state after one more byte, or kDead.
  int Step(int state, unsigned char byte);
  // The same for a mask.  BeginMask finds all that one byte may lead to.  Once
  // the steps since then took too much work, those that are not known yet are
  // kDead for this mask: what they lead to can be reached a byte at a time.
  void BeginMask(int state);
  int StepInMask(int state, unsigned char byte);
  // Whether the text may end here.
  [[nodiscard]] bool IsComplete(int state) const;
  // If there are too many states or frames, drops all but this one and its own,
  // gives it a new number, and returns true.
  bool Forget(int& state);

  // All since it was made.
  [[nodiscard]] std::size_t work() const {
    return looks_ + 4 * frames_.pushes() + 32 * frames_.made() +
           128 * states_made_;
  }

 private:
  struct State {
    std::vector<std::uint32_t> stacks;  // their tops, ascending
    std::array<std::int32_t, 256> next{};
  };

  // Finds out a step, with at most so much work before the last stack.
  int Make(int state, unsigned char byte, std::size_t most_work);
  int StateOf(std::vector<std::uint32_t> stacks);
  bool HasRoom();
  [[nodiscard]] bool CanEnd(std::uint32_t stack) const;

  void FindUnknown(State& state) const;
  // Adds to out_ what `stack` becomes with the byte; nothing if it is not
  // taken.
  void Read(std::uint32_t stack, unsigned char byte);
  // automaton_values.cc
  void ReadValue(std::uint32_t node, std::uint32_t below, unsigned char byte);
  [[nodiscard]] bool MayBegin(std::size_t node, unsigned char byte) const;
  void ReadPlain(std::uint32_t index, std::uint32_t below, unsigned char byte);
  void ReadText(std::uint32_t from, std::uint32_t below, unsigned char byte);
  void ReadNumber(const Frame& frame, unsigned char byte);
  void ReadArray(const Frame& frame, unsigned char byte);
  // automaton_strings.cc
  void ReadString(const Frame& frame, unsigned char byte);
  void ReadContinue(const Frame& frame, unsigned char byte);
  void ReadEscape(const Frame& frame, unsigned char byte);
  void ReadHex(const Frame& frame, unsigned char byte);
  void ReadCharacter(unsigned char byte, std::uint32_t then);
  // automaton_objects.cc
  void ReadObject(const Frame& frame, unsigned char byte);
  void ReadNames(const Frame& frame);
  void ReadName(const Frame& frame, unsigned char byte);
  void ReadKey(const Frame& frame, unsigned char byte);
  std::uint32_t PushAfterName(const Frame& object, std::size_t value,
                              std::size_t next);
  bool MayCome(const Frame& object, std::uint32_t names);
  bool HasMoreNames(const Frame& frame);

  std::uint32_t PushSpace(std::uint32_t below);
  [[nodiscard]] bool Fits(std::size_t node, std::uint32_t depth) const;

  const Schema& schema_;
  const std::size_t most_mask_work_;
  Frames frames_;
  std::vector<State> states_;
  std::unordered_multimap<std::size_t, int> state_numbers_;  // by hash
  std::vector<std::uint32_t> out_;  // of the step that is being made
  std::size_t looks_ = 0;
  std::size_t states_made_ = 0;
  // Whether this step's bytes were looked at by their class only.
  bool is_by_class_ = false;
  std::size_t most_step_ = 0;  // work after which no other stack is read
  std::size_t most_mask_ = 0;  // and no other step is made
  int start_ = 0;
};

}  // namespace tern::json

#endif  // TERN_RUNTIME_JSON_AUTOMATON_H_
