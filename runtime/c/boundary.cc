#include "runtime/c/boundary.h"

namespace tern::c {
namespace {

// Of this thread.  Where there is no memory for a text, there is none.
thread_local std::string last_error;

tern_status StatusOf(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return TERN_INVALID_ARGUMENT;
    case ErrorCode::kNotFound:
      return TERN_NOT_FOUND;
    case ErrorCode::kIo:
      return TERN_IO;
    case ErrorCode::kMalformed:
      return TERN_MALFORMED;
    case ErrorCode::kUnsupported:
      return TERN_UNSUPPORTED;
    case ErrorCode::kOutOfMemory:
      return TERN_OUT_OF_MEMORY;
    case ErrorCode::kContextFull:
      return TERN_CONTEXT_FULL;
    case ErrorCode::kBusy:
      return TERN_BUSY;
    case ErrorCode::kCancelled:
      return TERN_CANCELLED;
  }
  return TERN_INTERNAL;
}

}  // namespace

tern_status Fail(tern_status status, const char* message) noexcept {
  try {
    last_error = message;
  } catch (...) {
    last_error.clear();
  }
  return status;
}

tern_status FailWithCurrentException() noexcept {
  try {
    throw;
  } catch (const Error& error) {
    return Fail(StatusOf(error.code()), error.what());
  } catch (const StatusError& error) {
    return Fail(error.status(), error.what());
  } catch (const std::bad_alloc&) {
    return Fail(TERN_OUT_OF_MEMORY, "memory: the system gives no more");
  } catch (const std::exception& error) {
    return Fail(TERN_INTERNAL, error.what());
  } catch (...) {
    return Fail(TERN_INTERNAL, "tern: an unknown exception");
  }
}

}  // namespace tern::c

// NOLINTBEGIN(readability-identifier-naming): the names are C's.

const char* tern_version(void) { return TERN_VERSION; }

const char* tern_last_error(void) { return tern::c::last_error.c_str(); }

const char* tern_status_text(int status) {
  switch (status) {
    case TERN_OK:
      return "no error";
    case TERN_INVALID_ARGUMENT:
      return "an argument makes no sense";
    case TERN_NOT_FOUND:
      return "not found";
    case TERN_IO:
      return "reading or writing failed";
    case TERN_MALFORMED:
      return "a file is malformed";
    case TERN_UNSUPPORTED:
      return "not supported";
    case TERN_OUT_OF_MEMORY:
      return "not enough memory";
    case TERN_CONTEXT_FULL:
      return "the context is full";
    case TERN_BUSY:
      return "in use by another thread";
    case TERN_CANCELLED:
      return "cancelled";
    case TERN_BUFFER_TOO_SMALL:
      return "the buffer is too small";
    case TERN_INTERNAL:
      return "internal error";
  }
  return "unknown status";
}

// NOLINTEND(readability-identifier-naming)
