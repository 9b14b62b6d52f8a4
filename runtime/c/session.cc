// Samplers and sessions for C.
#include <algorithm>
#include <span>

#include "runtime/c/boundary.h"

namespace tern::c {
namespace {

constexpr tern_sampler_options kSamplerDefaults = TERN_SAMPLER_OPTIONS_INIT;
constexpr tern_session_options kSessionDefaults = TERN_SESSION_OPTIONS_INIT;
// No padding at the end (boundary.h, Read).
static_assert(offsetof(tern_sampler_options, seed) +
                  sizeof(tern_sampler_options::seed) ==
              sizeof(tern_sampler_options));
static_assert(offsetof(tern_session_options, num_threads) +
                  sizeof(tern_session_options::num_threads) ==
              sizeof(tern_session_options));

SessionOptions ToSessionOptions(const char* function,
                                const tern_session_options* given) {
  const tern_session_options options = Read(function, given, kSessionDefaults);
  SessionOptions session;
  session.context_length = options.context_length;
  session.num_threads = options.num_threads;
  switch (options.kv_type) {
    case TERN_KV_F32:
      session.kv_type = KvType::kF32;
      return session;
    case TERN_KV_F16:
      session.kv_type = KvType::kF16;
      return session;
    case TERN_KV_Q8:
      session.kv_type = KvType::kQ8;
      return session;
    default:
      throw Error(ErrorCode::kInvalidArgument,
                  std::string(function) +
                      ": kv_type is none of tern_kv_type; use one of those");
  }
}

}  // namespace
}  // namespace tern::c

// NOLINTBEGIN(readability-identifier-naming): the names are C's.

using tern::c::Guarded;
using tern::c::RequireAll;

tern_status tern_sampler_new(const tern_sampler_options* options,
                             tern_sampler** sampler) {
  return Guarded([&] {
    RequireAll("tern_sampler_new", sampler);
    const tern_sampler_options o =
        tern::c::Read("tern_sampler_new", options, tern::c::kSamplerDefaults);
    *sampler = new tern_sampler{
        tern::Sampler({.temperature = o.temperature,
                       .top_k = o.top_k,
                       .top_p = o.top_p,
                       .min_p = o.min_p,
                       .repeat_last_n = o.repeat_last_n,
                       .repeat_penalty = o.repeat_penalty,
                       .presence_penalty = o.presence_penalty,
                       .frequency_penalty = o.frequency_penalty,
                       .seed = o.seed})};
  });
}

void tern_sampler_free(tern_sampler* sampler) { delete sampler; }

tern_status tern_session_new(const tern_model* model,
                             const tern_session_options* options,
                             tern_session** session) {
  return Guarded([&] {
    RequireAll("tern_session_new", model, session);
    *session = new tern_session{tern::Session(
        model->model, tern::c::ToSessionOptions("tern_session_new", options))};
  });
}

void tern_session_free(tern_session* session) { delete session; }

tern_status tern_session_append(tern_session* session, const tern_token* tokens,
                                size_t count) {
  return Guarded([&] {
    RequireAll("tern_session_append", session);
    if (count != 0) RequireAll("tern_session_append", tokens);
    session->session.Append(std::span(tokens, count));
  });
}

tern_status tern_session_next(tern_session* session, tern_sampler* sampler,
                              tern_token* token) {
  return Guarded([&] {
    RequireAll("tern_session_next", session, sampler, token);
    *token = session->session.Next(sampler->sampler);
  });
}

tern_status tern_session_logits(tern_session* session, const float** logits,
                                size_t* count) {
  return Guarded([&] {
    RequireAll("tern_session_logits", session, logits, count);
    const std::span<const float> all = session->session.Logits();
    *logits = all.data();
    *count = all.size();
  });
}

tern_status tern_session_tokens(const tern_session* session,
                                const tern_token** tokens, size_t* count) {
  return Guarded([&] {
    RequireAll("tern_session_tokens", session, tokens, count);
    const std::span<const tern::Token> all = session->session.tokens();
    *tokens = all.data();
    *count = all.size();
  });
}

tern_status tern_session_position(const tern_session* session,
                                  size_t* position) {
  return Guarded([&] {
    RequireAll("tern_session_position", session, position);
    *position = session->session.tokens().size();
  });
}

size_t tern_session_context_length(const tern_session* session) {
  return session == nullptr ? 0 : session->session.context_length();
}

tern_status tern_session_truncate(tern_session* session, size_t length) {
  return Guarded([&] {
    RequireAll("tern_session_truncate", session);
    session->session.Truncate(length);
  });
}

tern_status tern_session_reset(tern_session* session) {
  return tern_session_truncate(session, 0);
}

tern_status tern_session_keep_common(tern_session* session,
                                     const tern_token* tokens, size_t count,
                                     size_t* kept) {
  return Guarded([&] {
    RequireAll("tern_session_keep_common", session, kept);
    if (count != 0) RequireAll("tern_session_keep_common", tokens);
    const std::span<const tern::Token> held = session->session.tokens();
    const auto end =
        std::mismatch(held.begin(), held.end(), tokens, tokens + count);
    // The last token is read again if need be, for the logits after it.
    const auto common = std::min(static_cast<std::size_t>(end.second - tokens),
                                 count == 0 ? 0 : count - 1);
    session->session.Truncate(common);
    *kept = common;
  });
}

void tern_session_cancel(tern_session* session) {
  if (session != nullptr) session->session.Cancel();
}

int tern_session_forget_cancel(tern_session* session) {
  return session != nullptr && session->session.ForgetCancel() ? 1 : 0;
}

tern_status tern_session_fork(const tern_session* session,
                              tern_session** fork) {
  return Guarded([&] {
    RequireAll("tern_session_fork", session, fork);
    *fork = new tern_session{session->session.Fork()};
  });
}

tern_status tern_session_save(const tern_session* session, const char* path) {
  return Guarded([&] {
    RequireAll("tern_session_save", session, path);
    session->session.Save(path);
  });
}

tern_status tern_session_restore(const tern_model* model, const char* path,
                                 const tern_session_options* options,
                                 tern_session** session) {
  return Guarded([&] {
    RequireAll("tern_session_restore", model, path, session);
    *session = new tern_session{tern::Session::Restore(
        model->model, path,
        tern::c::ToSessionOptions("tern_session_restore", options))};
  });
}

// NOLINTEND(readability-identifier-naming)
