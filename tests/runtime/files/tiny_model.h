// A whole model of architecture bitnet-b1.58 in a few KB, in both formats, as
// lists of parts that a test changes before they become bytes.  One layer,
// hidden 32, 2 heads of 16, 1 key/value head, ffn 64, 16 tokens.
#ifndef TERN_TESTS_RUNTIME_FILES_TINY_MODEL_H_
#define TERN_TESTS_RUNTIME_FILES_TINY_MODEL_H_

#include <cstdint>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace tern::test {

// Little-endian bytes of a number.
template <typename T>
std::string Bytes(T value) {
  std::string bytes(sizeof(T), '\0');
  std::memcpy(bytes.data(), &value, sizeof(T));
  return bytes;
}

// ---------------------------------------------------------------- GGUF

// A metadata value: type number, then bytes.
struct GgufTyped {
  std::uint32_t type = 0;
  std::string bytes;
};
GgufTyped U32(std::uint32_t value);
GgufTyped F32(float value);
GgufTyped Bool(bool value);
GgufTyped Text(const std::string& value);
GgufTyped Texts(const std::vector<std::string>& values);

// 8 bytes of length, then the text.
std::string GgufString(const std::string& text);

struct GgufKey {
  std::string name;
  GgufTyped value;
};

struct GgufTensor {
  std::string name;
  std::vector<std::uint64_t> dims;  // innermost first, as in the file
  std::uint32_t type = 0;
  std::string data;
  std::optional<std::uint64_t> offset;  // instead of the right one
};

struct GgufParts {
  std::string magic = "GGUF";
  std::uint32_t version = 3;
  std::uint64_t alignment = 32;
  std::vector<GgufKey> keys;
  std::vector<GgufTensor> tensors;
  std::optional<std::uint64_t> tensor_count, key_count;

  GgufTyped& Key(const std::string& name);
  GgufTensor& Tensor(const std::string& name);
  void RemoveKey(const std::string& name);
  void RemoveTensor(const std::string& name);
};

// Where a structure of the file begins, and what an Error about it names.
struct Mark {
  std::string structure;  // "value of general.name"
  std::string place;      // "key 'general.name'"
  std::size_t offset = 0;
};

// The file; `marks`, if any, receives one mark for each structure.
std::string Serialize(const GgufParts& parts,
                      std::vector<Mark>* marks = nullptr);

// Linear layers as I2_S, embedding F16, norms F32.
GgufParts TinyGguf();
// The same with linear layers as TQ2_0, which needs rows of 256: hidden 256,
// 2 heads of 128, ffn 256.
GgufParts TinyTq2Gguf();

// --------------------------------------------------------- safetensors

struct SafeTensor {
  std::string name;
  std::string dtype;
  std::vector<std::uint64_t> shape;
  std::string data;
  // Header entry instead of the right one.
  std::optional<std::string> entry;
  // data_offsets moved by this much, for gaps and overlaps.
  std::int64_t move_begin = 0, move_end = 0;
};

struct SafetensorsParts {
  std::vector<SafeTensor> tensors;
  std::string more_header;  // after the last entry, with its leading comma
  std::string more_data;
  std::optional<std::string> header;  // the whole JSON text
  std::optional<std::uint64_t> header_length;

  SafeTensor& Tensor(const std::string& name);
  void Remove(const std::string& name);
};

std::string Serialize(const SafetensorsParts& parts);

// Packed linear layers with weight_scale, everything else BF16.
SafetensorsParts TinyPacked();
// Float linear layers of that type ("BF16", "F16", "F32").
SafetensorsParts TinyFloats(const std::string& dtype);
// config.json for either: packed by the multiply rule.
nlohmann::json TinyConfig();

}  // namespace tern::test

#endif  // TERN_TESTS_RUNTIME_FILES_TINY_MODEL_H_
