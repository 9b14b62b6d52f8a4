// A 64-bit number that tells bytes apart: whether a saved session is whole, and
// which model it belongs to.  It finds damage, not malice.
#ifndef TERN_RUNTIME_CHECKSUM_H_
#define TERN_RUNTIME_CHECKSUM_H_

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace tern {

// Four lanes of 64-bit words, so that the multiplications overlap (about 10
// GB/s).  A step can be undone if the word is known: so one changed word always
// changes its lane.
class Checksum {
 public:
  // Each array counts with its size: {1, 2} and then {3} is not {1} and {2, 3}.
  void Add(std::span<const std::uint8_t> bytes) {
    const std::size_t size = bytes.size();
    std::array<std::uint64_t, 4> words{};
    for (; bytes.size() >= sizeof(words);
         bytes = bytes.subspan(sizeof(words))) {
      std::memcpy(words.data(), bytes.data(), sizeof(words));
      AddWords(words);
    }
    words = {};
    if (!bytes.empty()) std::memcpy(words.data(), bytes.data(), bytes.size());
    AddWords(words);
    AddWords({size, size, size, size});
  }
  // Of numbers, without gaps between or in them.
  template <class T>
  void AddNumbers(std::span<const T> numbers) {
    Add({reinterpret_cast<const std::uint8_t*>(numbers.data()),
         numbers.size_bytes()});
  }

  [[nodiscard]] std::uint64_t value() const {
    std::uint64_t sum = 0;
    for (const std::uint64_t lane : lanes_) {
      sum = Step(sum, lane);
      sum ^= sum >> 32U;
    }
    return Step(sum, 0) ^ sum >> 29U;
  }

 private:
  static std::uint64_t Step(std::uint64_t lane, std::uint64_t word) {
    constexpr std::uint64_t kOdd = 0x9E3779B97F4A7C15;  // 2^64 / golden ratio
    return std::rotl((lane ^ word) * kOdd, 29) + 1;
  }
  void AddWords(const std::array<std::uint64_t, 4>& words) {
    for (std::size_t i = 0; i < 4; ++i) lanes_[i] = Step(lanes_[i], words[i]);
  }

  std::array<std::uint64_t, 4> lanes_ = {1, 2, 3, 4};
};

}  // namespace tern

#endif  // TERN_RUNTIME_CHECKSUM_H_
