// The public face of a session: every call holds it (session_guard.h) while
// session_impl.cc does the work.
#include <istream>
#include <ostream>
#include <utility>

#include <tern/error.h>
#include <tern/session.h>

#include "runtime/files/input_file.h"
#include "runtime/files/output_file.h"
#include "runtime/out_of_memory.h"
#include "runtime/session_impl.h"

namespace tern {

Session::Session(std::shared_ptr<const Model> model,
                 const SessionOptions& options)
    : impl_(NamingSession(
          [&] { return std::make_unique<Impl>(std::move(model), options); })) {}
Session::Session(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

void Session::Append(std::span<const Token> tokens) {
  const auto hold = impl_->guard().ToWork();
  NamingSession([&] { impl_->Append(tokens, nullptr); });
}

void Session::Append(std::span<const Token> tokens, const LogitsSink& sink) {
  const auto hold = impl_->guard().ToWork();
  NamingSession([&] { impl_->Append(tokens, &sink); });
}

Token Session::Next(Sampler& sampler) {
  const auto hold = impl_->guard().ToWork();
  return NamingSession([&] { return impl_->Next(sampler); });
}

Token Session::Next(Sampler& sampler, TokenConstraint& constraint) {
  const auto hold = impl_->guard().ToWork();
  return NamingSession([&] { return impl_->Next(sampler, constraint); });
}

std::span<const float> Session::Logits() {
  const auto hold = impl_->guard().ToWork();
  return NamingSession([&] { return impl_->Logits(); });
}

void Session::Truncate(std::size_t length) {
  const auto hold = impl_->guard().ToWork();
  impl_->Truncate(length);
}

void Session::Cancel() noexcept { impl_->Cancel(); }
bool Session::ForgetCancel() noexcept { return impl_->ForgetCancel(); }

Session Session::Fork() const {
  const auto hold = impl_->guard().ToRead();
  return NamingSession([&] { return Session(impl_->Fork()); });
}

void Session::Save(const std::filesystem::path& path) const {
  const auto hold = impl_->guard().ToRead();
  files::OutputFile file(path, /*overwrite=*/true);
  impl_->Write([&](std::span<const std::uint8_t> bytes) { file.Write(bytes); });
  file.Commit();
}

void Session::Save(std::ostream& stream) const {
  const auto hold = impl_->guard().ToRead();
  impl_->Write([&](std::span<const std::uint8_t> bytes) {
    stream.write(reinterpret_cast<const char*>(bytes.data()),
                 static_cast<std::streamsize>(bytes.size()));
  });
  if (stream.flush()) return;
  throw Error(ErrorCode::kIo,
              "session: the stream that it was to be saved to takes no more "
              "bytes; make room and save it again");
}

Session Session::Restore(std::shared_ptr<const Model> model,
                         const std::filesystem::path& path,
                         const SessionOptions& options) {
  const files::InputFile file(path);
  Session session(std::move(model), options);
  std::uint64_t offset = 0;
  session.impl_->Read(path.string(), [&](std::span<std::uint8_t> bytes) {
    if (bytes.size() > file.size() - offset) return false;
    file.Read(offset, bytes);
    offset += bytes.size();
    return true;
  });
  if (offset != file.size()) {
    throw Error(ErrorCode::kMalformed,
                path.string() + ": byte " + std::to_string(offset) +
                    ": more bytes than the saved session has; save it again");
  }
  return session;
}

Session Session::Restore(std::shared_ptr<const Model> model,
                         std::istream& stream, const SessionOptions& options) {
  Session session(std::move(model), options);
  session.impl_->Read("saved session", [&](std::span<std::uint8_t> bytes) {
    const auto size = static_cast<std::streamsize>(bytes.size());
    stream.read(reinterpret_cast<char*>(bytes.data()), size);
    return stream.gcount() == size;
  });
  return session;
}

// The span may outlive the hold: what it shows changes only when the session is
// used again.
std::span<const Token> Session::tokens() const {
  const auto hold = impl_->guard().ToRead();
  return impl_->tokens();
}

std::uint64_t Session::head_bytes_read() const {
  const auto hold = impl_->guard().ToRead();
  return impl_->head_bytes_read();
}

std::uint64_t Session::bytes_read() const {
  const auto hold = impl_->guard().ToRead();
  return impl_->bytes_read();
}

// These never change.
std::size_t Session::context_length() const { return impl_->context_length(); }
std::uint64_t Session::cache_bytes() const { return impl_->cache_bytes(); }
std::uint64_t Session::scratch_bytes() const { return impl_->scratch_bytes(); }
int Session::num_threads() const { return impl_->num_threads(); }

}  // namespace tern
