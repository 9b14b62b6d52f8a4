// A client that can misbehave: it sends what bytes it likes, when it likes.
#ifndef TERN_TESTS_CLI_SERVE_HTTP_CLIENT_H_
#define TERN_TESTS_CLI_SERVE_HTTP_CLIENT_H_

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tern::testing {

struct HttpResponse {
  int status = 0;
  std::map<std::string, std::string> fields;  // names in lower case
  std::string body;                           // without chunks

  [[nodiscard]] std::string field(const std::string& name) const;
  // Throws what nlohmann-json throws.
  [[nodiscard]] nlohmann::json json() const;
  // The data of its server-sent events.
  [[nodiscard]] std::vector<std::string> events() const;
};

// Seconds for what should come soon, and fails the test if it does not: other
// work on the machine may stop all of this one for a minute.
inline constexpr int kPatience = 180;

// A connection to 127.0.0.1.  Everything throws std::runtime_error after
// kPatience without progress.
class HttpClient {
 public:
  // `receive_buffer`: of the system, in bytes; 0: as usual.
  explicit HttpClient(int port, int receive_buffer = 0);
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;
  ~HttpClient();

  void Send(std::string_view bytes) const;
  // The next response, as its header says where it ends; of a HEAD request
  // without a body.
  HttpResponse Read(bool is_head = false);
  // Reads until `text` has come.
  void ReadUntil(std::string_view text);
  // Whether something comes, the end included, within so many milliseconds.
  [[nodiscard]] bool Comes(int milliseconds) const;
  // Whether the server closes in time; reads what comes.
  bool IsClosed();
  void CloseSending() const;
  // Away at once, without a farewell.
  void Reset();

 private:
  bool Receive();  // false: the end
  std::string TakeLine();
  std::string Take(std::size_t size);

  int socket_ = -1;
  std::string held_;
};

using HttpFields = std::vector<std::pair<std::string, std::string>>;

// The bytes of a request with a JSON body.
std::string PostBytes(const std::string& path, const std::string& body,
                      const HttpFields& fields = {});
HttpResponse Get(int port, const std::string& path,
                 const HttpFields& fields = {});
HttpResponse Post(int port, const std::string& path, const nlohmann::json& body,
                  const HttpFields& fields = {});

}  // namespace tern::testing

#endif  // TERN_TESTS_CLI_SERVE_HTTP_CLIENT_H_
