#include "runtime/tokenizer/protobuf.h"

#include <bit>

#include "runtime/tokenizer/tokenizer_spec.h"

namespace tern::tokenizer {

bool ProtobufMessage::Next() {
  begin_ = position_;
  if (position_ == bytes_.size()) return false;
  const std::uint64_t tag = TakeVarint();
  const std::uint64_t number = tag >> 3;
  constexpr std::uint64_t kMaxNumber = (std::uint64_t{1} << 29) - 1;
  if (number == 0 || number > kMaxNumber) {
    RefuseHere(begin_, "a field of number " + std::to_string(number));
  }
  number_ = static_cast<std::uint32_t>(number);
  type_ = static_cast<WireType>(tag & 7);
  switch (type_) {
    case WireType::kVarint:
      varint_ = TakeVarint();
      return true;
    case WireType::kFixed64:
      value_ = Take(8);
      return true;
    case WireType::kBytes:
      value_ = Take(TakeVarint());
      return true;
    case WireType::kFixed32:
      value_ = Take(4);
      return true;
  }
  RefuseHere(begin_, "a field of the unknown wire type " +
                         std::to_string(static_cast<unsigned>(type_)));
}

std::uint64_t ProtobufMessage::TakeVarint() {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    const auto byte = static_cast<unsigned char>(Take(1)[0]);
    const std::uint64_t bits = byte & 0x7F;
    if (shift == 63 && bits > 1) break;  // only one bit is left
    value |= bits << shift;
    if (byte < 0x80) return value;
  }
  RefuseHere(position_, "a number of more than 64 bits");
}

std::string_view ProtobufMessage::Take(std::uint64_t size) {
  const std::size_t left = bytes_.size() - position_;
  if (size > left) {
    RefuseHere(position_, "a value of " + std::to_string(size) +
                              " bytes, where " + std::to_string(left) +
                              " are left");
  }
  const std::string_view value =
      bytes_.substr(position_, static_cast<std::size_t>(size));
  position_ += value.size();
  return value;
}

void ProtobufMessage::RefuseHere(std::size_t position,
                                 const std::string& why) const {
  Refuse(ErrorCode::kMalformed, file_,
         "byte " + std::to_string(offset_ + position),
         why + "; the file is damaged, use the one that was published");
}

std::string ProtobufMessage::place() const {
  return "byte " + std::to_string(offset_ + begin_);
}

void ProtobufMessage::RequireType(WireType wanted, const char* name) const {
  if (type_ == wanted) return;
  RefuseHere(begin_, "field " + std::to_string(number_) + " is not " + name);
}

std::uint64_t ProtobufMessage::Varint() const {
  RequireType(WireType::kVarint, "a number");
  return varint_;
}

std::int32_t ProtobufMessage::Int32() const {
  // Negative ones are written as 64 bits.
  const auto value = std::bit_cast<std::int64_t>(Varint());
  if (value < INT32_MIN || value > INT32_MAX) {
    RefuseHere(begin_, "a number of more than 32 bits");
  }
  return static_cast<std::int32_t>(value);
}

bool ProtobufMessage::Bool() const { return Varint() != 0; }

float ProtobufMessage::Float() const {
  RequireType(WireType::kFixed32, "a 32-bit number");
  std::uint32_t bits = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    bits |= std::uint32_t{static_cast<unsigned char>(value_[i])} << 8 * i;
  }
  return std::bit_cast<float>(bits);
}

std::string_view ProtobufMessage::String() const {
  RequireType(WireType::kBytes, "a string");
  return value_;
}

ProtobufMessage ProtobufMessage::Message() const {
  const std::string_view value = String();
  const auto begin = static_cast<std::size_t>(value.data() - bytes_.data());
  return {value, offset_ + begin, file_};
}

}  // namespace tern::tokenizer
