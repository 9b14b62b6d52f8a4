// The wire format of Protocol Buffers, as much as tokenizer.model needs: fields
// one after another, each a number, a type and a value.
#ifndef TERN_RUNTIME_TOKENIZER_PROTOBUF_H_
#define TERN_RUNTIME_TOKENIZER_PROTOBUF_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tern::tokenizer {

// Walks over the fields of one message.  Everything that does not fit is an
// Error (kMalformed) that names the file and the byte.
class ProtobufMessage {
 public:
  // `bytes` are those of the file from `offset`; they must outlive it.
  ProtobufMessage(std::string_view bytes, std::size_t offset, std::string file)
      : bytes_(bytes), offset_(offset), file_(std::move(file)) {}

  // Goes to the next field; false at the end.
  [[nodiscard]] bool Next();
  // Of the field at hand.
  [[nodiscard]] std::uint32_t number() const { return number_; }
  // FILE: byte N.
  [[nodiscard]] std::string place() const;

  // Its value; Error if it is of another type.
  [[nodiscard]] std::uint64_t Varint() const;
  [[nodiscard]] std::int32_t Int32() const;
  [[nodiscard]] bool Bool() const;
  [[nodiscard]] float Float() const;
  [[nodiscard]] std::string_view String() const;
  [[nodiscard]] ProtobufMessage Message() const;

 private:
  enum class WireType : std::uint8_t {
    kVarint = 0,
    kFixed64 = 1,
    kBytes = 2,
    kFixed32 = 5,
  };
  std::uint64_t TakeVarint();
  std::string_view Take(std::uint64_t size);
  void RequireType(WireType wanted, const char* name) const;
  [[noreturn]] void RefuseHere(std::size_t position,
                               const std::string& why) const;

  std::string_view bytes_;
  std::size_t offset_;
  std::string file_;
  std::size_t position_ = 0;  // of the next field
  std::size_t begin_ = 0;     // of the field at hand
  std::uint32_t number_ = 0;
  WireType type_ = WireType::kVarint;
  std::uint64_t varint_ = 0;
  std::string_view value_;  // of the other types
};

}  // namespace tern::tokenizer

#endif  // TERN_RUNTIME_TOKENIZER_PROTOBUF_H_
