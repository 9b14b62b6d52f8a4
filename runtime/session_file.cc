#include "runtime/session_file.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#include <tern/error.h>

#include "runtime/checksum.h"

namespace tern {
namespace {

static_assert(std::endian::native == std::endian::little,
              "saved sessions are little-endian");

constexpr std::array<char, 8> kMagic = {'t', 'e', 'r', 'n', 's', 'e', 's', 's'};
constexpr std::uint32_t kVersion = 1;

struct Header {
  std::array<char, 8> magic = kMagic;
  std::uint32_t version = kVersion;
  std::uint32_t kv_type = 0;
  std::uint64_t fingerprint = 0;
  std::uint64_t num_tokens = 0;
  std::uint64_t num_run = 0;
  std::uint64_t checksum = 0;  // of the bytes before
};
static_assert(sizeof(Header) == 48);

template <class T>
std::span<const std::uint8_t> BytesOf(const T* data, std::size_t count) {
  return {reinterpret_cast<const std::uint8_t*>(data), count * sizeof(T)};
}
template <class T>
std::span<std::uint8_t> WritableBytesOf(T* data, std::size_t count) {
  return {reinterpret_cast<std::uint8_t*>(data), count * sizeof(T)};
}

std::uint64_t HeaderChecksum(const Header& header) {
  Checksum sum;
  sum.Add(BytesOf(&header, 1).first(offsetof(Header, checksum)));
  return sum.value();
}

const char* Name(KvType type) {
  switch (type) {
    case KvType::kF32:
      return "f32";
    case KvType::kF16:
      return "f16";
    case KvType::kQ8:
      return "q8";
  }
  return "unknown";
}

bool HasLast(std::size_t num_tokens, std::size_t num_run) {
  return num_run == num_tokens && num_tokens != 0;
}

// Reads the arrays of one saved session and sums them up.
class Reader {
 public:
  Reader(const std::string& place, const ReadBytes& read)
      : place_(place), read_(read) {}

  void Read(std::span<std::uint8_t> bytes) {
    if (!read_(bytes)) {
      Fail(ErrorCode::kMalformed,
           "the saved session is not complete: it ends before byte " +
               std::to_string(position_ + bytes.size()) + "; save it again");
    }
    position_ += bytes.size();
  }
  void ReadSummed(std::span<std::uint8_t> bytes) {
    Read(bytes);
    sum_.Add(bytes);
  }
  [[nodiscard]] std::uint64_t sum() const { return sum_.value(); }
  [[noreturn]] void Fail(ErrorCode code, const std::string& what) const {
    throw Error(code, place_ + ": " + what);
  }
  [[noreturn]] void FailDamaged(const std::string& what) const {
    Fail(ErrorCode::kMalformed,
         what + ": the saved session is damaged; save it again");
  }

 private:
  const std::string& place_;
  const ReadBytes& read_;
  Checksum sum_;
  std::uint64_t position_ = 0;
};

// Throws unless the header is sound and fits the session.
Header ReadHeader(const SessionState& state, Reader& reader) {
  Header header;
  reader.Read(WritableBytesOf(&header, 1));
  if (header.magic != kMagic) {
    reader.Fail(ErrorCode::kMalformed,
                "does not begin as a saved session does; check the name");
  }
  if (header.checksum != HeaderChecksum(header)) {
    reader.FailDamaged("byte 40: wrong checksum of the header");
  }
  if (header.version != kVersion) {
    reader.Fail(ErrorCode::kUnsupported,
                "saved session of layout " + std::to_string(header.version) +
                    ", this version of tern reads " + std::to_string(kVersion) +
                    "; save it again with this one");
  }
  if (header.fingerprint != state.fingerprint) {
    reader.Fail(ErrorCode::kInvalidArgument,
                "was saved from a session of another model; restore it with "
                "the same one, loaded with the same options");
  }
  if (header.kv_type != static_cast<std::uint32_t>(state.kv_type)) {
    reader.Fail(ErrorCode::kInvalidArgument,
                std::string("was saved from a cache of type ") +
                    Name(static_cast<KvType>(header.kv_type)) +
                    ", and the session's is " + Name(state.kv_type) +
                    "; restore it into the same type");
  }
  if (header.num_tokens > state.context_length) {
    reader.Fail(ErrorCode::kContextFull,
                "has " + std::to_string(header.num_tokens) +
                    " tokens, the session's context " +
                    std::to_string(state.context_length) +
                    " positions; make the context longer");
  }
  if (header.num_run > header.num_tokens ||
      header.num_tokens - header.num_run > 1) {
    reader.FailDamaged("byte 32: impossible number of positions");
  }
  return header;
}

}  // namespace

void WriteSession(const SessionState& state, const WriteBytes& write) {
  Header header;
  header.kv_type = static_cast<std::uint32_t>(state.kv_type);
  header.fingerprint = state.fingerprint;
  header.num_tokens = state.tokens.size();
  header.num_run = state.num_run;
  header.checksum = HeaderChecksum(header);
  write(BytesOf(&header, 1));

  Checksum sum;
  const auto write_summed = [&](std::span<const std::uint8_t> bytes) {
    sum.Add(bytes);
    write(bytes);
  };
  write_summed(BytesOf(state.tokens.data(), state.tokens.size()));
  if (HasLast(state.tokens.size(), state.num_run)) {
    write_summed(BytesOf(state.last.data(), state.last.size()));
  }
  const std::size_t full = state.num_run / kernels::kBlockPositions;
  for (std::size_t i = 0; i < full; ++i) write_summed(state.cache.Group(i));
  if (state.num_run % kernels::kBlockPositions != 0) {
    write_summed(state.cache.GroupUpTo(state.num_run));
  }
  const std::uint64_t checksum = sum.value();
  write(BytesOf(&checksum, 1));
}

void ReadSession(const SessionState& state, const std::string& place,
                 std::size_t vocab_size, const ReadBytes& read) {
  Reader reader(place, read);
  const Header header = ReadHeader(state, reader);
  state.tokens.resize(header.num_tokens);
  state.num_run = header.num_run;
  reader.ReadSummed(WritableBytesOf(state.tokens.data(), state.tokens.size()));
  if (HasLast(header.num_tokens, header.num_run)) {
    reader.ReadSummed(WritableBytesOf(state.last.data(), state.last.size()));
  }
  const std::size_t groups = (header.num_run + kernels::kBlockPositions - 1) /
                             kernels::kBlockPositions;
  for (std::size_t i = 0; i < groups; ++i) {
    reader.ReadSummed(state.cache.Group(i));
  }
  std::uint64_t checksum = 0;
  const std::uint64_t expected = reader.sum();
  reader.Read(WritableBytesOf(&checksum, 1));
  if (checksum != expected) reader.FailDamaged("wrong checksum");
  const auto is_wrong = [&](Token token) {
    return token < 0 || static_cast<std::size_t>(token) >= vocab_size;
  };
  if (std::any_of(state.tokens.begin(), state.tokens.end(), is_wrong)) {
    reader.FailDamaged("a token id outside the model's vocabulary");
  }
  if (HasLast(header.num_tokens, header.num_run) &&
      !std::all_of(state.last.data(), state.last.data() + state.last.size(),
                   [](float x) { return std::isfinite(x); })) {
    reader.FailDamaged("a hidden state that is not finite");
  }
}

}  // namespace tern
