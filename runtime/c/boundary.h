// What every function of the C interface (include/tern.h) is made with: no
// exception gets out, and a thread keeps the text of its last error.
#ifndef TERN_RUNTIME_C_BOUNDARY_H_
#define TERN_RUNTIME_C_BOUNDARY_H_

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <tern.h>
#include <utility>

#include <tern/chat.h>
#include <tern/error.h>
#include <tern/model.h>
#include <tern/sampler.h>
#include <tern/session.h>

// The handles, which C knows by name only.
struct tern_model {
  std::shared_ptr<const tern::Model> model;
  std::string description;
};
struct tern_session {
  tern::Session session;
};
struct tern_sampler {
  tern::Sampler sampler;
};
struct tern_decoder {
  std::shared_ptr<const tern::Model> model;  // has the tokenizer
  tern::StreamDecoder decoder;
  std::string text;  // given last
};
struct tern_chat_template {
  tern::ChatTemplate chat_template;
};

namespace tern::c {

// A status that is no error of the C++ interface.
class StatusError : public std::exception {
 public:
  StatusError(tern_status status, std::string message)
      : status_(status), message_(std::move(message)) {}
  [[nodiscard]] tern_status status() const { return status_; }
  [[nodiscard]] const char* what() const noexcept override {
    return message_.c_str();
  }

 private:
  tern_status status_;
  std::string message_;
};

// Keeps the text for tern_last_error and gives `status`.
tern_status Fail(tern_status status, const char* message) noexcept;
// The status of the exception that is being handled.
tern_status FailWithCurrentException() noexcept;

// Calls `work`, in which all that may throw happens.
template <class Work>
tern_status Guarded(const Work& work) noexcept {
  try {
    work();
    return TERN_OK;
  } catch (...) {
    return FailWithCurrentException();
  }
}

// Throws unless all pointers are something.
template <class... Pointers>
void RequireAll(const char* function, const Pointers*... pointers) {
  if (((pointers != nullptr) && ...)) return;
  throw Error(ErrorCode::kInvalidArgument,
              std::string(function) + ": a pointer is NULL; give an object");
}

// The caller's struct of options, whose size is its first member, laid over the
// defaults: members that an older caller does not know keep those, members that
// an older library does not know must be zero.  No struct of options may end in
// padding: initialisers leave it as it was, and an older library reads it.
template <class Options>
Options Read(const char* function, const Options* given, Options options) {
  if (given == nullptr) return options;
  constexpr std::size_t kLeast = sizeof(std::size_t);
  const auto* bytes = reinterpret_cast<const unsigned char*>(given);
  const bool is_known =
      given->size >= kLeast && given->size <= sizeof(Options) + 4096 &&
      (given->size <= sizeof(Options) ||
       std::all_of(bytes + sizeof(Options), bytes + given->size,
                   [](unsigned char byte) { return byte == 0; }));
  if (!is_known) {
    throw Error(ErrorCode::kInvalidArgument,
                std::string(function) + ": options of size " +
                    std::to_string(given->size) +
                    " ask for what this library does not know; begin with the "
                    "_INIT value of its tern.h");
  }
  std::memcpy(&options, given, std::min(given->size, sizeof(Options)));
  return options;
}

// Gives items to a caller's array that has room for `needed`, or only says how
// many there are.
template <class T>
void Give(const char* function, std::span<const T> items, std::size_t needed,
          T* array, std::size_t capacity, std::size_t* size) {
  *size = items.size();
  if (capacity < needed) {
    throw StatusError(TERN_BUFFER_TOO_SMALL,
                      std::string(function) + ": room for " +
                          std::to_string(capacity) + ", but " +
                          std::to_string(needed) +
                          " are needed; call it again with so many");
  }
  if (needed != 0) RequireAll(function, array);
  std::copy(items.begin(), items.end(), array);
}

}  // namespace tern::c

#endif  // TERN_RUNTIME_C_BOUNDARY_H_
