// Takes connections, up to a number, and knows those that are open.
#ifndef TERN_CLI_SERVE_LISTENER_H_
#define TERN_CLI_SERVE_LISTENER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>

#include "cli/serve/connection.h"
#include "cli/serve/http.h"

namespace tern::cli::serve {

struct ListenOptions {
  std::string host = "127.0.0.1";  // an address, or a name that has one
  std::uint16_t port = 8080;       // 0: one that is free
  std::size_t max_connections = 512;
  ConnectionLimits limits;
};

class Listener : public std::enable_shared_from_this<Listener> {
 public:
  // Listens from now on, but takes nobody before Start.  Throws tern::Error if
  // the address cannot be had.  `service` must outlive all connections.
  Listener(asio::io_context& io, const ListenOptions& options,
           Service& service);

  [[nodiscard]] asio::ip::tcp::endpoint endpoint() const { return endpoint_; }
  // Whether other machines may reach it.
  [[nodiscard]] bool is_open_to_others() const;
  // "http://127.0.0.1:8080"
  [[nodiscard]] std::string url() const;

  // From any thread.
  void Start();
  // From any thread: takes nobody more, and lets every connection end after the
  // answer that it is giving.
  void Drain();
  // From any thread: connections that are open.
  [[nodiscard]] std::size_t open() const;

 private:
  class Connections;

  void Accept();
  void OnAccepted(IoError error, Socket socket);
  void Retry();

  asio::io_context& io_;
  Strand strand_;
  asio::basic_socket_acceptor<asio::ip::tcp, Strand> acceptor_;
  asio::steady_timer pause_;
  Service& service_;
  ListenOptions options_;
  asio::ip::tcp::endpoint endpoint_;
  std::shared_ptr<Connections> connections_;
  bool draining_ = false;
};

}  // namespace tern::cli::serve

#endif  // TERN_CLI_SERVE_LISTENER_H_
