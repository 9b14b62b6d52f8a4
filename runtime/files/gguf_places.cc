#include "runtime/files/gguf_places.h"

#include <algorithm>
#include <limits>
#include <string>
#include <tuple>
#include <utility>

#include <tern/error.h>

#include "runtime/files/gguf_types.h"
#include "runtime/files/quote.h"

namespace tern::files {
namespace {

constexpr std::uint64_t kMaxOffset = std::numeric_limits<std::uint64_t>::max();

class Placer {
 public:
  Placer(std::vector<GgufEntry> entries, std::uint64_t data_begin,
         GgufFile& file, const OnFault& on_fault)
      : entries_(std::move(entries)),
        data_begin_(data_begin),
        file_(file),
        on_fault_(on_fault) {}

  void Place();

 private:
  void PlaceEntry(std::size_t i);
  void FindEnds();
  void CheckBegin(std::size_t i) const;
  void TellBeyond(std::size_t i) const;
  void FindLayout(const GgufClaim& claim, StoredTensor& tensor) const;
  void Add(StoredTensor tensor, const GgufClaim& claim);

  void Tell(const StoredTensor& tensor, const std::string& what) const {
    on_fault_(Error(ErrorCode::kMalformed,
                    tensor.Place() + ": " + what + "; fetch the file again"));
  }

  std::vector<GgufEntry> entries_;
  std::vector<std::uint64_t> ends_;  // of each, from the start of the data
  std::uint64_t data_begin_;
  std::uint64_t data_bytes_ = 0;
  GgufFile& file_;
  const OnFault& on_fault_;
};

Error RowsFault(const StoredTensor& tensor, const GgufLayout& layout) {
  return {ErrorCode::kUnsupported,
          tensor.Place() + ": rows of " + std::to_string(tensor.shape.back()) +
              " weights as " + layout.name + ", whose blocks of " +
              std::to_string(layout.block) +
              " would run over the row ends; convert the model to I2_S "
              "from the original"};
}

Error BytesFault(const StoredTensor& tensor,
                 const std::vector<const GgufLayout*>& layouts,
                 const GgufClaim& claim) {
  const std::uint64_t cols = tensor.shape.back();
  const std::uint64_t rows = tensor.ElementCount() / cols;
  std::string needs;
  std::uint64_t least = std::numeric_limits<std::uint64_t>::max();
  for (const GgufLayout* layout : layouts) {
    const std::uint64_t bytes = layout->Bytes(rows, cols);
    least = std::min(least, bytes);
    needs += (needs.empty() ? "" : ", ") + std::string(layout->name) +
             " of this shape takes " + std::to_string(bytes) + " bytes";
  }
  std::string advice = "the file is damaged, fetch it again";
  if (claim.ends_file && claim.room < least) {
    advice = "the file ends too early, fetch it again";
  } else if (layouts.front()->type == StoredType::kI2S) {
    advice =
        "either a quantiser with several threads has written it, which "
        "corrupts I2_S (quantise again with one thread), or the number means "
        "another layout";
  } else if (layouts.size() > 1) {
    advice = "the type number means yet another layout, or the file is damaged";
  }
  return {ErrorCode::kMalformed,
          tensor.Place() + ": " + needs + ", but the file has " +
              std::to_string(claim.room) + " for it; " + advice};
}

void Placer::Place() {
  std::sort(entries_.begin(), entries_.end(),
            [](const GgufEntry& a, const GgufEntry& b) {
              return std::tie(a.relative_offset, a.tensor.name) <
                     std::tie(b.relative_offset, b.tensor.name);
            });
  if (entries_.empty()) return;
  const std::uint64_t size = entries_.front().tensor.file->size();
  data_bytes_ = size - std::min(data_begin_, size);
  FindEnds();
  for (std::size_t i = 0; i < entries_.size(); ++i) PlaceEntry(i);
}

// Each ends where the next one begins; those at the same byte share their room.
void Placer::FindEnds() {
  std::uint64_t next = data_bytes_;
  ends_.resize(entries_.size());
  for (std::size_t i = entries_.size(); i-- > 0;) {
    const bool shared =
        i + 1 < entries_.size() &&
        entries_[i + 1].relative_offset == entries_[i].relative_offset;
    ends_[i] = shared ? ends_[i + 1] : next;
    next = entries_[i].relative_offset;
  }
}

// Told once, of the first: a file that was cut off lacks hundreds.
void Placer::TellBeyond(std::size_t i) const {
  if (i > 0 && entries_[i - 1].relative_offset >= data_bytes_) return;
  const std::size_t more = entries_.size() - i - 1;
  Tell(entries_[i].tensor,
       "begins at byte " + std::to_string(entries_[i].relative_offset) +
           " of the data, but only " + std::to_string(data_bytes_) +
           " bytes of it are here" +
           (more == 0 ? std::string()
                      : ", which goes for " + std::to_string(more) +
                            " more tensors"));
}

void Placer::CheckBegin(std::size_t i) const {
  const GgufEntry& entry = entries_[i];
  const std::string begin = std::to_string(entry.relative_offset);
  if (i == 0 && entry.relative_offset != 0) {
    Tell(entry.tensor, "is the first, but begins at byte " + begin +
                           " of the data instead of 0");
  }
  if (i + 1 < entries_.size() &&
      entries_[i + 1].relative_offset == entry.relative_offset) {
    Tell(entry.tensor, "begins at the same byte of the data, " + begin +
                           ", as tensor " + Quote(entries_[i + 1].tensor.name));
  }
}

void Placer::PlaceEntry(std::size_t i) {
  GgufEntry& entry = entries_[i];
  StoredTensor& tensor = entry.tensor;
  GgufClaim claim;
  claim.type_number = entry.type_number;
  const std::uint64_t begin = entry.relative_offset;
  tensor.offset =
      begin > kMaxOffset - data_begin_ ? kMaxOffset : data_begin_ + begin;
  if (begin >= data_bytes_) {
    tensor.has_fault = true;
    TellBeyond(i);
  } else {
    CheckBegin(i);
    claim.ends_file = ends_[i] >= data_bytes_;
    claim.room = std::min(ends_[i], data_bytes_) - begin;
    tensor.bytes = claim.room;
    claim.has_shape = entry.has_shape;
    tensor.has_fault = !entry.has_shape || !Reporting(on_fault_, [&] {
      FindLayout(claim, tensor);
    });
  }
  Add(std::move(tensor), claim);
}

// Finds the layout that the type number means here: the one whose bytes are
// those that the tensor has.
void Placer::FindLayout(const GgufClaim& claim, StoredTensor& tensor) const {
  const std::vector<GgufLayout> layouts = GgufLayouts(claim.type_number);
  if (layouts.empty()) return;  // not read; whoever needs it refuses it
  const std::uint64_t cols = tensor.shape.back();
  const std::uint64_t rows = tensor.ElementCount() / cols;
  std::vector<const GgufLayout*> possible;
  std::vector<const GgufLayout*> fitting;
  for (const GgufLayout& layout : layouts) {
    if (!layout.FitsRows(cols)) continue;
    possible.push_back(&layout);
    if (FitsRoom(layout.Bytes(rows, cols), claim, file_.alignment)) {
      fitting.push_back(&layout);
    }
  }
  if (possible.empty()) throw RowsFault(tensor, layouts.front());
  if (fitting.size() > 1) {
    throw Error(ErrorCode::kUnsupported,
                tensor.Place() + ": its " + std::to_string(claim.room) +
                    " bytes may be " + fitting[0]->name + " or " +
                    fitting[1]->name +
                    ", which share the type number; convert the model to "
                    "another type");
  }
  if (fitting.empty()) throw BytesFault(tensor, possible, claim);
  tensor.type = fitting[0]->type;
  tensor.type_name = fitting[0]->name;
  tensor.bytes = fitting[0]->Bytes(rows, cols);
}

void Placer::Add(StoredTensor tensor, const GgufClaim& claim) {
  const auto [place, is_new] = file_.tensors.emplace(tensor.name, tensor);
  if (is_new) {
    file_.claims.emplace(tensor.name, claim);
  } else {
    Tell(tensor, "appears twice");
  }
}

}  // namespace

void PlaceTensors(std::vector<GgufEntry> entries, std::uint64_t data_begin,
                  GgufFile& file, const OnFault& on_fault) {
  Placer(std::move(entries), data_begin, file, on_fault).Place();
}

bool FitsRoom(std::uint64_t needed, const GgufClaim& claim,
              std::uint64_t alignment) {
  const std::uint64_t aligned = (needed + alignment - 1) & ~(alignment - 1);
  return claim.room == aligned || (claim.ends_file && claim.room == needed);
}

}  // namespace tern::files
