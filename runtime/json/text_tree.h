// Sets of texts, each as a tree of its bytes: what of a set begins like the
// bytes read so far is one number.  For the names of an object and for enum.
#ifndef TERN_RUNTIME_JSON_TEXT_TREE_H_
#define TERN_RUNTIME_JSON_TEXT_TREE_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace tern::json {

inline constexpr std::uint32_t kNoText = 0xFFFFFFFF;

class TextTrees {
 public:
  // Adds a set of texts, which differ, and returns its root.  Takes time in
  // proportion to their bytes.
  std::uint32_t Add(const std::vector<std::string>& texts);

  // The node below `node` for one more byte, or kNoText.
  [[nodiscard]] std::uint32_t Child(std::uint32_t node,
                                    unsigned char byte) const;
  // The bytes for which there is one.
  [[nodiscard]] std::string Bytes(std::uint32_t node) const;
  // Whether a text ends at the node; whether one goes on.
  [[nodiscard]] bool Ends(std::uint32_t node) const {
    return nodes_[node].ends;
  }
  [[nodiscard]] bool GoesOn(std::uint32_t node) const {
    return nodes_[node].children != 0;
  }
  // Those that begin like this, by their places in the vector that was added,
  // in the order of their bytes.
  [[nodiscard]] std::span<const std::uint32_t> Texts(std::uint32_t node) const {
    return std::span(order_).subspan(nodes_[node].first_text,
                                     nodes_[node].texts);
  }

 private:
  struct Node {
    std::uint32_t first_child = 0;  // children stand side by side
    std::uint32_t first_text = 0;   // in order_
    std::uint32_t texts = 0;
    std::uint16_t children = 0;
    unsigned char byte = 0;  // that leads here
    bool ends = false;
  };
  void AddChildren(const std::vector<std::string>& texts, std::uint32_t at,
                   std::size_t depth);

  std::vector<Node> nodes_;
  std::vector<std::uint32_t> order_;
};

}  // namespace tern::json

#endif  // TERN_RUNTIME_JSON_TEXT_TREE_H_
