#include "tests/cli/serve/http_client.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <netinet/in.h>
#include <poll.h>
#include <stdexcept>
#include <sys/socket.h>
#include <unistd.h>

namespace tern::testing {
namespace {

std::string Lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) {
    return static_cast<char>(std::tolower(c));
  });
  return text;
}

std::string FieldLines(const HttpFields& fields) {
  std::string lines;
  for (const auto& [name, value] : fields) {
    lines += name + ": " + value + "\r\n";
  }
  return lines;
}

}  // namespace

std::string HttpResponse::field(const std::string& name) const {
  const auto found = fields.find(name);
  return found == fields.end() ? "" : found->second;
}

nlohmann::json HttpResponse::json() const {
  return nlohmann::json::parse(body);
}

std::vector<std::string> HttpResponse::events() const {
  std::vector<std::string> all;
  std::string_view rest = body;
  constexpr std::string_view kStart = "data: ";
  while (!rest.empty()) {
    const std::size_t end = rest.find("\n\n");
    if (end == std::string_view::npos)
      throw std::runtime_error("half an event");
    if (rest.starts_with(kStart)) {
      all.emplace_back(rest.substr(kStart.size(), end - kStart.size()));
    }
    rest.remove_prefix(end + 2);
  }
  return all;
}

HttpClient::HttpClient(int port, int receive_buffer)
    : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  if (receive_buffer > 0) {
    setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &receive_buffer,
               sizeof(receive_buffer));
  }
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  if (connect(socket_, reinterpret_cast<const sockaddr*>(&address),
              sizeof(address)) != 0) {
    close(socket_);
    throw std::runtime_error("no connection");
  }
}

HttpClient::~HttpClient() {
  if (socket_ >= 0) close(socket_);
}

void HttpClient::Send(std::string_view bytes) const {
  while (!bytes.empty()) {
    const ssize_t count =
        send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count <= 0) return;  // the server may have answered and closed already
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}

bool HttpClient::Receive() {
  pollfd file = {socket_, POLLIN, 0};
  if (poll(&file, 1, kPatience * 1000) <= 0) {
    throw std::runtime_error("nothing comes");
  }
  std::array<char, 65536> buffer{};
  const ssize_t count = recv(socket_, buffer.data(), buffer.size(), 0);
  if (count <= 0) return false;
  held_.append(buffer.data(), static_cast<std::size_t>(count));
  return true;
}

std::string HttpClient::TakeLine() {
  std::size_t end = 0;
  while ((end = held_.find("\r\n")) == std::string::npos) {
    if (!Receive()) throw std::runtime_error("closed within a line");
  }
  std::string line = held_.substr(0, end);
  held_.erase(0, end + 2);
  return line;
}

std::string HttpClient::Take(std::size_t size) {
  while (held_.size() < size) {
    if (!Receive()) throw std::runtime_error("closed within a body");
  }
  std::string part = held_.substr(0, size);
  held_.erase(0, size);
  return part;
}

HttpResponse HttpClient::Read(bool is_head) {
  HttpResponse response;
  const std::string first = TakeLine();
  if (!first.starts_with("HTTP/1.1 ")) throw std::runtime_error(first);
  response.status = std::stoi(first.substr(9, 3));
  for (std::string line; !(line = TakeLine()).empty();) {
    const std::size_t colon = line.find(": ");
    response.fields[Lower(line.substr(0, colon))] = line.substr(colon + 2);
  }
  if (is_head || response.status == 204 || response.status == 100) {
    return response;
  }
  if (response.field("transfer-encoding") == "chunked") {
    while (true) {
      const std::size_t size = std::stoul(TakeLine(), nullptr, 16);
      response.body += Take(size);
      TakeLine();
      if (size == 0) return response;
    }
  }
  if (response.fields.count("content-length") != 0) {
    response.body = Take(std::stoul(response.field("content-length")));
    return response;
  }
  while (Receive()) {
  }
  response.body = std::exchange(held_, "");
  return response;
}

void HttpClient::ReadUntil(std::string_view text) {
  while (held_.find(text) == std::string::npos) {
    if (!Receive()) throw std::runtime_error("closed before: " + held_);
  }
}

bool HttpClient::Comes(int milliseconds) const {
  pollfd file = {socket_, POLLIN, 0};
  return !held_.empty() || poll(&file, 1, milliseconds) > 0;
}

bool HttpClient::IsClosed() {
  try {
    while (Receive()) {
    }
    return true;
  } catch (const std::runtime_error&) {
    return false;
  }
}

void HttpClient::CloseSending() const { shutdown(socket_, SHUT_WR); }

void HttpClient::Reset() {
  const linger now = {1, 0};
  setsockopt(socket_, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
  close(socket_);
  socket_ = -1;
}

std::string PostBytes(const std::string& path, const std::string& body,
                      const HttpFields& fields) {
  return "POST " + path +
         " HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n" +
         FieldLines(fields) + "Content-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

HttpResponse Get(int port, const std::string& path, const HttpFields& fields) {
  HttpClient client(port);
  client.Send("GET " + path + " HTTP/1.1\r\nHost: test\r\n" +
              FieldLines(fields) + "\r\n");
  return client.Read();
}

HttpResponse Post(int port, const std::string& path, const nlohmann::json& body,
                  const HttpFields& fields) {
  HttpClient client(port);
  client.Send(PostBytes(path, body.dump(), fields));
  return client.Read();
}

}  // namespace tern::testing
