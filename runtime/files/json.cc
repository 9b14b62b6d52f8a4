#include "runtime/files/json.h"

#include <set>
#include <utility>
#include <vector>

#include <tern/error.h>

#include "runtime/files/input_file.h"
#include "runtime/files/quote.h"

namespace tern::files {
namespace {

using nlohmann::json;

// Watches the parser's events: the library itself keeps the last of two equal
// keys and nests as deep as memory allows.
class Watch {
 public:
  Watch(const std::string& place, JsonLimits limits)
      : place_(place), limits_(limits) {}

  void See(json::parse_event_t event, const json& parsed) {
    switch (event) {
      case json::parse_event_t::key:
        SeeKey(parsed.get_ref<const std::string&>());
        break;
      case json::parse_event_t::value:
        CountElement();
        break;
      case json::parse_event_t::object_start:
      case json::parse_event_t::array_start:
        CountElement();
        Enter(event == json::parse_event_t::array_start);
        break;
      case json::parse_event_t::object_end:
      case json::parse_event_t::array_end:
        open_.pop_back();
        break;
    }
  }

 private:
  struct Level {
    bool is_array = false;
    std::size_t elements = 0;    // of an array
    std::set<std::string> keys;  // of an object
  };

  void Enter(bool is_array) {
    if (open_.size() == limits_.depth) {
      throw Error(ErrorCode::kMalformed,
                  place_ + ": JSON nested deeper than " +
                      std::to_string(limits_.depth) +
                      " levels; this is not the file it should be");
    }
    open_.push_back({.is_array = is_array, .elements = 0, .keys = {}});
  }

  void CountElement() {
    if (!open_.empty() && open_.back().is_array &&
        ++open_.back().elements > limits_.array_length) {
      throw Error(ErrorCode::kMalformed,
                  place_ + ": a JSON array of more than " +
                      std::to_string(limits_.array_length) +
                      " elements; this is not the file it should be");
    }
  }

  void SeeKey(const std::string& key) {
    if (!open_.back().keys.insert(key).second) {
      throw Error(ErrorCode::kMalformed,
                  place_ + ": key " + Quote(key) +
                      " appears twice in one JSON object; remove one");
    }
  }

  const std::string& place_;
  JsonLimits limits_;
  std::vector<Level> open_;
};

}  // namespace

json ParseJsonObject(std::string_view text, const std::string& place,
                     JsonLimits limits) {
  Watch watch(place, limits);
  json value;
  try {
    value = json::parse(
        text, [&](int /*depth*/, json::parse_event_t event, json& parsed) {
          watch.See(event, parsed);
          return true;
        });
  } catch (const json::parse_error& error) {
    throw Error(ErrorCode::kMalformed, place + ": not valid JSON at byte " +
                                           std::to_string(error.byte) +
                                           "; fetch the file again");
  } catch (const json::exception&) {
    throw Error(ErrorCode::kMalformed,
                place +
                    ": not valid JSON (a number out of range); fetch the "
                    "file again");
  }
  if (!value.is_object()) {
    throw Error(ErrorCode::kMalformed,
                place +
                    ": a JSON object was expected; this is not the file "
                    "it should be");
  }
  return value;
}

json ReadJsonObject(const std::filesystem::path& path, std::uint64_t max_bytes,
                    JsonLimits limits) {
  return ParseJsonObject(ReadTextFile(path, max_bytes), path.string(), limits);
}

}  // namespace tern::files
