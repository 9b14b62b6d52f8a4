// What passes between a connection, which knows HTTP and sockets, and the
// routes, which know neither: requests, replies, and who answers.
#ifndef TERN_CLI_SERVE_HTTP_H_
#define TERN_CLI_SERVE_HTTP_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tern::cli::serve {

// A request before its body: all that is looked at of its header.
struct RequestHead {
  std::string method;
  std::string path;             // of the target, without what follows a '?'
  int hosts = 0;                // how many Host fields there are
  bool is_1_1 = true;           // HTTP/1.1, else 1.0
  bool has_body = false;        // a Content-Length or chunks
  bool unknown_coding = false;  // a Transfer-Encoding that is not chunked
  std::string expect;
  std::string authorization;
  std::string origin;
  std::string asked_method;  // Access-Control-Request-Method
  std::string asked_fields;  // Access-Control-Request-Headers
  std::string content_type;
  std::string content_encoding;
  bool surplus = false;  // of a connection beyond --max-connections
};

struct HttpRequest {
  RequestHead head;
  std::string body;
};

using HeaderField = std::pair<std::string, std::string>;

struct Reply {
  int status = 200;
  std::string content_type = "application/json";
  std::vector<HeaderField> fields{};
  std::string body{};
};

// What the log and the metrics tell of a request.
struct RequestRecord {
  std::string id;
  std::string client;
  std::string method;
  std::string path;
  int status = 0;  // 499: the client went away before the answer
  std::chrono::steady_clock::time_point start;
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  // Of answers of the model:
  std::optional<std::size_t> prompt_tokens;
  std::size_t cached_tokens = 0;
  std::size_t completion_tokens = 0;
  std::string finish;
  std::string error;  // one line
};

// The way back to the client, for the request that is being answered.  Post
// may be called from any thread, the others on the connection's strand only: in
// Post's work, in a Service's functions and in those of an Exchange.
class Responder {
 public:
  Responder() = default;
  Responder(const Responder&) = delete;
  Responder& operator=(const Responder&) = delete;
  virtual ~Responder() = default;

  virtual void Post(std::function<void()> work) = 0;
  // The whole answer.
  virtual void Send(Reply reply) = 0;
  // An answer in parts: its head (the body is ignored), the parts, the end.  A
  // client that takes too little of it is cut off.
  virtual void StartStream(Reply head) = 0;
  virtual void Stream(std::string_view part) = 0;
  virtual void EndStream() = 0;
  virtual RequestRecord& record() = 0;
};

// An answer that takes its time.
class Exchange {
 public:
  Exchange() = default;
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;
  virtual ~Exchange() = default;

  // The client has gone: the Responder must not be used from now on.
  virtual void Cancel() = 0;
};

// What answers requests.  Used by all connections at once, from several
// threads.
class Service {
 public:
  Service() = default;
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;
  virtual ~Service() = default;

  // Before the body is read: a reply if the request is refused.
  virtual std::optional<Reply> Refuse(const RequestHead& head) = 0;
  // Sends the answer, and returns nothing, or an Exchange, which will.
  virtual std::shared_ptr<Exchange> Answer(
      HttpRequest request, const std::shared_ptr<Responder>& responder) = 0;
  // What every reply to a request carries beside its own fields.
  [[nodiscard]] virtual std::vector<HeaderField> CommonFields(
      const RequestHead& head) const = 0;
  // The reply of the transport itself: an error that is not a route's.
  [[nodiscard]] virtual Reply ErrorReply(int status,
                                         const std::string& message) const = 0;
  // A request has been answered, or given up.
  virtual void Told(const RequestRecord& record) = 0;
  // Something that must not happen, for the log.
  virtual void Failed(const std::string& what) = 0;
};

}  // namespace tern::cli::serve

#endif  // TERN_CLI_SERVE_HTTP_H_
