#include "runtime/json/text_tree.h"

#include <algorithm>
#include <numeric>

namespace tern::json {

std::uint32_t TextTrees::Add(const std::vector<std::string>& texts) {
  const auto root = static_cast<std::uint32_t>(nodes_.size());
  const auto first = static_cast<std::ptrdiff_t>(order_.size());
  order_.resize(order_.size() + texts.size());
  std::iota(order_.begin() + first, order_.end(), 0U);
  std::sort(
      order_.begin() + first, order_.end(),
      [&](std::uint32_t a, std::uint32_t b) { return texts[a] < texts[b]; });
  nodes_.emplace_back();
  nodes_.back().first_text = static_cast<std::uint32_t>(first);
  nodes_.back().texts = static_cast<std::uint32_t>(texts.size());
  // Level by level: nodes of one depth stand together.
  std::size_t depth = 0;
  for (std::uint32_t at = root; at < nodes_.size(); ++depth) {
    const auto end = static_cast<std::uint32_t>(nodes_.size());
    for (; at < end; ++at) AddChildren(texts, at, depth);
  }
  return root;
}

void TextTrees::AddChildren(const std::vector<std::string>& texts,
                            std::uint32_t at, std::size_t depth) {
  const Node node = nodes_[at];
  const auto first_child = static_cast<std::uint32_t>(nodes_.size());
  bool ends = false;
  for (std::uint32_t i = 0; i < node.texts; ++i) {
    const std::uint32_t place = node.first_text + i;
    const std::string& text = texts[order_[place]];
    if (text.size() == depth) {
      ends = true;
      continue;
    }
    const auto byte = static_cast<unsigned char>(text[depth]);
    if (nodes_.size() == first_child || nodes_.back().byte != byte) {
      nodes_.emplace_back();
      nodes_.back().first_text = place;
      nodes_.back().byte = byte;
    }
    ++nodes_.back().texts;
  }
  nodes_[at].ends = ends;
  nodes_[at].first_child = first_child;
  nodes_[at].children = static_cast<std::uint16_t>(nodes_.size() - first_child);
}

std::uint32_t TextTrees::Child(std::uint32_t node, unsigned char byte) const {
  const auto begin = nodes_.begin() + nodes_[node].first_child;
  const auto end = begin + nodes_[node].children;
  const auto found = std::lower_bound(
      begin, end, byte,
      [](const Node& child, unsigned char b) { return child.byte < b; });
  return found == end || found->byte != byte
             ? kNoText
             : static_cast<std::uint32_t>(found - nodes_.begin());
}

std::string TextTrees::Bytes(std::uint32_t node) const {
  std::string bytes;
  for (std::uint32_t i = 0; i < nodes_[node].children; ++i) {
    bytes += static_cast<char>(nodes_[nodes_[node].first_child + i].byte);
  }
  return bytes;
}

}  // namespace tern::json
