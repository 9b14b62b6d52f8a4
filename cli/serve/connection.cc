#include "cli/serve/connection.h"

#include <utility>

#include <boost/asio/post.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/read.hpp>

#include "cli/serve/http_text.h"

namespace tern::cli::serve {
namespace {

namespace http = boost::beast::http;

constexpr std::size_t kReadBytes = 4096;
// Of requests that a client sends before it has its answer.
constexpr std::size_t kMaxPipelined = 65536;
constexpr std::chrono::milliseconds kCancelAgain{50};

// A request that its client did not wait for, as nginx numbers it.
constexpr int kClientGone = 499;

std::string ClientName(const Socket& socket) {
  IoError ignored;
  const auto endpoint = socket.remote_endpoint(ignored);
  return ignored ? "" : endpoint.address().to_string();
}

std::string Field(const http::fields& fields, http::field name) {
  const auto value = fields[name];
  return {value.data(), value.size()};
}

std::string Target(const http::request<http::string_body>& message) {
  return {message.target().data(), message.target().size()};
}

// The status for bytes that are no request.
int StatusFor(IoError error) {
  if (error == http::error::header_limit) return 431;
  if (error == http::error::buffer_overflow) return 431;
  if (error == http::error::body_limit) return 413;
  if (error == http::error::bad_version) return 505;
  return 400;
}

std::string MessageFor(IoError error) {
  if (error == http::error::partial_message) {
    return "the request ends before it is complete";
  }
  return "the request is not HTTP that this server understands: " +
         error.message();
}

}  // namespace

Connection::Connection(Socket socket, Service& service,
                       const ConnectionLimits& limits, bool surplus,
                       std::function<void()> on_end)
    : socket_(std::move(socket)),
      service_(service),
      limits_(limits),
      surplus_(surplus),
      on_end_(std::move(on_end)),
      deadline_(socket_.get_executor()),
      write_deadline_(socket_.get_executor()),
      client_(ClientName(socket_)),
      buffer_(std::size_t{limits.header_bytes} + 2 * kMaxPipelined) {}

Connection::~Connection() { on_end_(); }

void Connection::Start() {
  Post([this] {
    IoError ignored;
    socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
    // Bounds what the system keeps of an answer that nobody reads.
    socket_.set_option(asio::socket_base::send_buffer_size(
                           static_cast<int>(limits_.pending_bytes)),
                       ignored);
    WaitForRequest();
  });
}

void Connection::Drain() {
  Post([this] {
    draining_ = true;
    if (phase_ == Phase::kWaiting) Close();
  });
}

void Connection::Post(std::function<void()> work) {
  asio::post(socket_.get_executor(),
             Guarded([work = std::move(work)](Connection& self) {
               if (self.phase_ != Phase::kClosed) work();
             }));
}

void Connection::WaitForRequest() {
  phase_ = Phase::kWaiting;
  if (draining_) return Close();
  SetDeadline(surplus_ ? limits_.linger : limits_.idle);
  if (buffer_.size() > 0) return ReadHead();
  if (!reading_) ReadSome();
}

// Reads what is neither a head nor a body that is waited for: the first bytes
// of a request, whatever comes while an answer is given, and what follows it.
void Connection::ReadSome() {
  reading_ = true;
  socket_.async_read_some(
      buffer_.prepare(kReadBytes),
      Guarded([](Connection& self, IoError error, std::size_t count) {
        self.OnReadSome(error, count);
      }));
}

void Connection::OnReadSome(IoError error, std::size_t count) {
  reading_ = false;
  if (phase_ == Phase::kClosed) return;
  buffer_.commit(count);
  const bool resume = std::exchange(resume_, false);
  if (resume && (!error || error == asio::error::operation_aborted)) {
    return WaitForRequest();
  }
  ended_ = static_cast<bool>(error);
  if (resume && error) return Linger();
  if (error) return PeerGone(error);
  switch (phase_) {
    case Phase::kWaiting:
      return ReadHead();
    case Phase::kLingering:
      buffer_.clear();
      return ReadSome();
    default:
      if (buffer_.size() < kMaxPipelined) ReadSome();
  }
}

void Connection::NewRequest() {
  parser_.emplace();
  parser_->header_limit(limits_.header_bytes);
  parser_->body_limit(limits_.body_bytes);
  head_ = {};
  record_ = {};
  record_.id = NewRequestId();
  record_.client = client_;
  record_.start = std::chrono::steady_clock::now();
  told_ = false;
  keep_alive_ = false;
  head_sent_ = streaming_ = chunked_ = complete_ = timed_out_ = false;
}

void Connection::ReadHead() {
  phase_ = Phase::kHead;
  NewRequest();
  SetDeadline(limits_.request);
  http::async_read_header(
      socket_, buffer_, *parser_,
      Guarded([](Connection& self, IoError error, std::size_t /*count*/) {
        self.OnHead(error);
      }));
}

void Connection::TakeHead() {
  const auto& message = parser_->get();
  const auto method = message.method_string();
  head_.method.assign(method.data(), method.size());
  head_.path = PathOf(Target(message));
  head_.hosts = static_cast<int>(message.count(http::field::host));
  head_.is_1_1 = message.version() == 11;
  // Only a whole header tells a length: the parser may not be asked before.
  head_.has_body =
      parser_->is_header_done() &&
      (parser_->chunked() || parser_->content_length().has_value());
  head_.unknown_coding =
      message.count(http::field::transfer_encoding) != 0 && !parser_->chunked();
  head_.expect = Field(message, http::field::expect);
  head_.authorization = Field(message, http::field::authorization);
  head_.origin = Field(message, http::field::origin);
  head_.asked_method =
      Field(message, http::field::access_control_request_method);
  head_.asked_fields =
      Field(message, http::field::access_control_request_headers);
  head_.content_type = Field(message, http::field::content_type);
  head_.content_encoding = Field(message, http::field::content_encoding);
  head_.surplus = surplus_;
  record_.method = head_.method;
  record_.path = head_.path;
}

void Connection::OnHead(IoError error) {
  if (phase_ != Phase::kHead) return;
  // Some of it may have been understood before the error.
  TakeHead();
  if (error == http::error::end_of_stream) return Close();
  if (error) return RefuseFor(error);
  keep_alive_ = parser_->get().keep_alive() && !surplus_;
  if (std::optional<Reply> reply = service_.Refuse(head_)) {
    return Refuse(std::move(*reply));
  }
  if (parser_->is_done()) return StartAnswer();
  phase_ = Phase::kBody;
  if (!head_.expect.empty() && head_.is_1_1) {
    outgoing_ += "HTTP/1.1 100 Continue\r\n\r\n";
    WriteMore();
  }
  ReadBody();
}

void Connection::ReadBody() {
  http::async_read(socket_, buffer_, *parser_,
                   Guarded([](Connection& self, IoError error,
                              std::size_t /*count*/) { self.OnBody(error); }));
}

void Connection::OnBody(IoError error) {
  if (phase_ != Phase::kBody) return;
  if (error) return RefuseFor(error);
  StartAnswer();
}

void Connection::RefuseFor(IoError error) {
  ended_ = error == http::error::partial_message;
  if (timed_out_) {
    return Refuse(service_.ErrorReply(
        408, "the request was not complete after " +
                 std::to_string(limits_.request.count() / 1000) + " s"));
  }
  const int status = StatusFor(error);
  const bool is_protocol =
      error.category() == make_error_code(http::error::body_limit).category();
  if (!is_protocol) return Close();  // nobody is there any more
  keep_alive_ = false;
  if (status == 413) {
    return Refuse(service_.ErrorReply(
        413, "the body is larger than " + std::to_string(limits_.body_bytes) +
                 " bytes"));
  }
  if (status == 431) {
    return Refuse(service_.ErrorReply(
        431, "the header is larger than " +
                 std::to_string(limits_.header_bytes) + " bytes"));
  }
  Refuse(service_.ErrorReply(status, MessageFor(error)));
}

// Without the body: what is still to come of it would be taken for the next
// request, so the connection ends.  The parser knows no end of a body in a
// coding that it does not know, and says that there is none.
void Connection::Refuse(Reply reply) {
  if (!parser_->is_done() || head_.unknown_coding) keep_alive_ = false;
  phase_ = Phase::kAnswering;
  Send(std::move(reply));
}

void Connection::StartAnswer() {
  phase_ = Phase::kAnswering;
  deadline_.cancel();
  record_.bytes_in = parser_->get().body().size();
  HttpRequest request{head_, std::move(parser_->get().body())};
  parser_.reset();
  exchange_ = service_.Answer(std::move(request), shared_from_this());
  if (phase_ == Phase::kClosed) DropExchange();
  if (phase_ == Phase::kAnswering && !reading_) ReadSome();
}

void Connection::PeerGone(IoError error) {
  if (phase_ != Phase::kAnswering) return Close();
  if (complete_) return;  // let it have what is on its way
  if (error != asio::error::eof || head_sent_) return Close();
  DropExchange();
  keep_alive_ = false;
  Send(service_.ErrorReply(400,
                           "the connection was closed for sending before the "
                           "answer came; keep it open"));
}

// The last byte of the answer has been handed over.
void Connection::Answered() {
  Tell();
  exchange_.reset();
  parser_.reset();
  if (!keep_alive_ || draining_ || ended_) return Linger();
  if (!reading_) return WaitForRequest();
  if (buffer_.size() > 0) {
    // The next request is there already, but its buffer is in use.
    resume_ = true;
    IoError ignored;
    socket_.cancel(ignored);
    return;
  }
  phase_ = Phase::kWaiting;
  SetDeadline(limits_.idle);
}

void Connection::SetDeadline(std::chrono::milliseconds time) {
  deadline_.expires_after(time);
  deadline_.async_wait(Guarded([](Connection& self, IoError error) {
    // A wait that was over before it could be cancelled is none.
    if (error ||
        self.deadline_.expiry() > asio::steady_timer::clock_type::now()) {
      return;
    }
    self.OnDeadline();
  }));
}

void Connection::OnDeadline() {
  IoError ignored;
  switch (phase_) {
    case Phase::kWaiting:
    case Phase::kLingering:
      return Close();
    case Phase::kHead:
    case Phase::kBody:
      timed_out_ = true;
      keep_alive_ = false;
      socket_.cancel(ignored);  // the read tells
      // It may have been between two of its steps, and not have heard it.
      SetDeadline(kCancelAgain);
      return;
    case Phase::kAnswering:
      // A comment of server-sent events: proxies see that somebody is there.
      if (streaming_ && !complete_) Stream(": waiting\n\n");
      return;
    case Phase::kClosed:
      return;
  }
}

// Closing with bytes unread would make the system drop what the client has not
// read yet; so the sending side is closed first, and the client's end awaited.
void Connection::Linger() {
  phase_ = Phase::kLingering;
  IoError error;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_send, error);
  if (error || ended_) return Close();
  SetDeadline(limits_.linger);
  if (reading_) return;
  buffer_.clear();
  ReadSome();
}

void Connection::DropExchange() {
  if (!exchange_) return;
  const std::shared_ptr<Exchange> exchange = std::move(exchange_);
  exchange_.reset();
  exchange->Cancel();
}

void Connection::Tell() {
  if (std::exchange(told_, true)) return;
  service_.Told(record_);
}

void Connection::Close() {
  if (phase_ == Phase::kClosed) return;
  const bool heard = phase_ == Phase::kAnswering || phase_ == Phase::kBody;
  phase_ = Phase::kClosed;
  DropExchange();
  if (heard) {
    record_.status = kClientGone;
    Tell();
  }
  deadline_.cancel();
  write_deadline_.cancel();
  IoError ignored;
  socket_.close(ignored);
}

}  // namespace tern::cli::serve
