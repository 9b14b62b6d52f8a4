// One connection: HTTP/1.1 with keep-alive, pipelining, chunks in both
// directions, and a limit for everything a client can make large or slow.
//
//   waiting --> head --> body --> answering --> waiting ...
//                 \________\__________\--> lingering --> closed
//
// All of it runs on the connection's strand.  While it answers it goes on
// reading, to notice a client that goes away: the exchange is cancelled then.
// Who shuts down only its sending side counts as gone, too, because the two
// cannot be told apart before something is written.
#ifndef TERN_CLI_SERVE_CONNECTION_H_
#define TERN_CLI_SERVE_CONNECTION_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/system/error_code.hpp>

#include "cli/serve/http.h"

namespace tern::cli::serve {

namespace asio = boost::asio;
using IoError = boost::system::error_code;
using Strand = asio::strand<asio::io_context::executor_type>;
using Socket = asio::basic_stream_socket<asio::ip::tcp, Strand>;

struct ConnectionLimits {
  std::uint32_t header_bytes = 16384;
  std::uint64_t body_bytes = std::uint64_t{1} << 20U;
  // Of a streamed answer that the client has not taken yet.
  std::size_t pending_bytes = std::size_t{256} << 10U;
  std::chrono::milliseconds idle{60'000};     // between requests
  std::chrono::milliseconds request{30'000};  // first byte to last
  std::chrono::milliseconds write{30'000};    // without a byte taken
  std::chrono::milliseconds linger{2'000};    // for the client to read the end
  std::chrono::milliseconds ping{15'000};  // between signs of a silent stream
};

class Connection final : public Responder,
                         public std::enable_shared_from_this<Connection> {
 public:
  // `surplus`: one too many, which is told so and closed.  `service` and
  // `limits` must outlive it; `on_end` is called by the destructor.
  Connection(Socket socket, Service& service, const ConnectionLimits& limits,
             bool surplus, std::function<void()> on_end);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() override;

  // From any thread.
  void Start();
  // From any thread: closes after the answer that is being given, or now.
  void Drain();

  void Post(std::function<void()> work) override;
  void Send(Reply reply) override;
  void StartStream(Reply head) override;
  void Stream(std::string_view part) override;
  void EndStream() override;
  RequestRecord& record() override { return record_; }

 private:
  enum class Phase { kWaiting, kHead, kBody, kAnswering, kLingering, kClosed };
  using Parser =
      boost::beast::http::request_parser<boost::beast::http::string_body>;

  // A handler that keeps the connection and lets no exception out.
  template <class Function>
  auto Guarded(Function function);

  void WaitForRequest();
  void NewRequest();
  void ReadSome();
  void OnReadSome(IoError error, std::size_t count);
  void ReadHead();
  void OnHead(IoError error);
  void ReadBody();
  void OnBody(IoError error);
  void TakeHead();
  void Refuse(Reply reply);
  void RefuseFor(IoError error);
  void StartAnswer();
  void PeerGone(IoError error);

  void PutHead(const Reply& reply, bool stream);
  void PutPart(std::string_view part);
  void WriteMore();
  void WriteRest();
  void OnWritten(IoError error, std::size_t count);
  void Answered();

  void SetDeadline(std::chrono::milliseconds time);
  void OnDeadline();
  void SetWriteDeadline();
  void Linger();
  void DropExchange();
  void Tell();
  void Close();

  Socket socket_;
  Service& service_;
  const ConnectionLimits& limits_;
  const bool surplus_;
  std::function<void()> on_end_;
  asio::steady_timer deadline_;
  asio::steady_timer write_deadline_;
  std::string client_;
  Phase phase_ = Phase::kWaiting;
  bool draining_ = false;

  // Reading
  boost::beast::flat_buffer buffer_;
  std::optional<Parser> parser_;
  bool reading_ = false;    // ReadSome runs
  bool resume_ = false;     // go on with the next request when it has ended
  bool timed_out_ = false;  // why the read was cancelled
  // A read has met the end.  There must not be another one: the reactor waits
  // for news of the socket then, and there is none after the end.
  bool ended_ = false;

  // The request that is answered
  RequestHead head_;
  RequestRecord record_;
  bool told_ = true;
  bool keep_alive_ = false;
  std::shared_ptr<Exchange> exchange_;

  // Writing: what is on its way, and what comes after it
  std::string writing_;
  std::size_t written_ = 0;
  std::string outgoing_;
  bool write_runs_ = false;
  bool head_sent_ = false;
  bool streaming_ = false;
  bool chunked_ = false;
  bool complete_ = false;  // nothing comes after `outgoing_`
};

template <class Function>
auto Connection::Guarded(Function function) {
  return [self = shared_from_this(), function](const auto&... arguments) {
    try {
      function(*self, arguments...);
    } catch (const std::exception& error) {
      self->service_.Failed(error.what());
      self->Close();
    }
  };
}

}  // namespace tern::cli::serve

#endif  // TERN_CLI_SERVE_CONNECTION_H_
