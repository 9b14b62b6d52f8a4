#include "cli/serve/listener.h"

#include <algorithm>
#include <chrono>
#include <list>
#include <mutex>
#include <utility>
#include <vector>

#include <boost/asio/post.hpp>

#include <tern/error.h>

namespace tern::cli::serve {
namespace {

using asio::ip::tcp;

// Connections beyond the limit that are still told so; beyond them, nobody is
// taken before another one ends.
constexpr std::size_t kSurplus = 64;
constexpr std::chrono::milliseconds kPause{100};

[[noreturn]] void Fail(const std::string& place, const std::string& what) {
  throw Error(tern::ErrorCode::kIo,
              place + ": " + what + "; give another --host or --port");
}

std::string Place(const ListenOptions& options) {
  return options.host + " port " + std::to_string(options.port);
}

tcp::endpoint Resolve(asio::io_context& io, const ListenOptions& options) {
  IoError error;
  const auto address = asio::ip::make_address(options.host, error);
  if (!error) return {address, options.port};
  tcp::resolver resolver(io);
  const auto results = resolver.resolve(
      options.host, std::to_string(options.port),
      tcp::resolver::passive | tcp::resolver::numeric_service, error);
  if (error || results.empty()) {
    Fail(Place(options), "no such address: " + error.message());
  }
  return *results.begin();
}

}  // namespace

// Those that are open.
class Listener::Connections {
 public:
  using Place = std::list<std::weak_ptr<Connection>>::iterator;

  Place Add() {
    const std::lock_guard lock(mutex_);
    return list_.emplace(list_.end());
  }
  void Set(Place place, const std::shared_ptr<Connection>& connection) {
    const std::lock_guard lock(mutex_);
    *place = connection;
  }
  void Remove(Place place) {
    const std::lock_guard lock(mutex_);
    list_.erase(place);
  }
  [[nodiscard]] std::size_t size() const {
    const std::lock_guard lock(mutex_);
    return list_.size();
  }
  [[nodiscard]] std::vector<std::shared_ptr<Connection>> All() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::shared_ptr<Connection>> all;
    for (const auto& entry : list_) {
      if (auto connection = entry.lock()) all.push_back(std::move(connection));
    }
    return all;
  }

 private:
  mutable std::mutex mutex_;
  std::list<std::weak_ptr<Connection>> list_;
};

Listener::Listener(asio::io_context& io, const ListenOptions& options,
                   Service& service)
    : io_(io),
      strand_(asio::make_strand(io)),
      acceptor_(strand_),
      pause_(strand_),
      service_(service),
      options_(options),
      connections_(std::make_shared<Connections>()) {
  const tcp::endpoint wanted = Resolve(io, options);
  IoError error;
  acceptor_.open(wanted.protocol(), error);
  // A restart must not wait for the connections of the one before.
  if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor_.bind(wanted, error);
  if (!error) {
    acceptor_.listen(asio::socket_base::max_listen_connections, error);
  }
  if (!error) endpoint_ = acceptor_.local_endpoint(error);
  if (error) {
    Fail(Place(options), "cannot be listened on: " + error.message());
  }
}

bool Listener::is_open_to_others() const {
  return !endpoint_.address().is_loopback();
}

std::string Listener::url() const {
  const auto address = endpoint_.address();
  const std::string text = address.to_string();
  return "http://" + (address.is_v6() ? "[" + text + "]" : text) + ":" +
         std::to_string(endpoint_.port());
}

std::size_t Listener::open() const { return connections_->size(); }

void Listener::Start() {
  asio::post(strand_, [self = shared_from_this()] { self->Accept(); });
}

void Listener::Drain() {
  asio::post(strand_, [self = shared_from_this()] {
    self->draining_ = true;
    IoError ignored;
    self->acceptor_.close(ignored);
    self->pause_.cancel();
    for (const auto& connection : self->connections_->All()) {
      connection->Drain();
    }
  });
}

void Listener::Accept() {
  if (draining_) return;
  if (connections_->size() >= options_.max_connections + kSurplus) {
    return Retry();
  }
  acceptor_.async_accept(
      asio::make_strand(io_),
      [self = shared_from_this()](IoError error, Socket socket) {
        try {
          self->OnAccepted(error, std::move(socket));
        } catch (const std::exception& failure) {
          self->service_.Failed(failure.what());
          self->Retry();
        }
      });
}

void Listener::OnAccepted(IoError error, Socket socket) {
  if (draining_ || error == asio::error::operation_aborted) return;
  if (error) return Retry();  // no descriptor is left, or the like
  const bool surplus = connections_->size() >= options_.max_connections;
  const auto place = connections_->Add();
  const auto forget = [all = connections_, place] { all->Remove(place); };
  std::shared_ptr<Connection> connection;
  try {
    connection = std::make_shared<Connection>(std::move(socket), service_,
                                              options_.limits, surplus, forget);
  } catch (...) {
    forget();
    throw;
  }
  connections_->Set(place, connection);
  connection->Start();
  Accept();
}

void Listener::Retry() {
  if (draining_) return;
  pause_.expires_after(kPause);
  pause_.async_wait([self = shared_from_this()](IoError error) {
    if (!error) self->Accept();
  });
}

}  // namespace tern::cli::serve
