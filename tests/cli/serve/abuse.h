// Requests that are wrong in one way each, in thousands: by what is wrong with
// them, and what the server's README says that they get.
#ifndef TERN_TESTS_CLI_SERVE_ABUSE_H_
#define TERN_TESTS_CLI_SERVE_ABUSE_H_

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace tern::testing {

// The limits of the server that they are made for.
inline constexpr std::size_t kAbuseContext = 64;      // --ctx
inline constexpr std::size_t kAbuseMaxBody = 20000;   // --max-body
inline constexpr std::size_t kAbuseMaxHeader = 2000;  // --max-header

// The same numbers from the same seed with every standard library.
class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}

  std::size_t Below(std::size_t limit) {
    return static_cast<std::size_t>(engine_() % limit);
  }
  char Byte() { return static_cast<char>(Below(256)); }
  template <class List>
  const auto& OneOf(const List& list) {
    return list[Below(list.size())];
  }
  template <class T>
  void Shuffle(std::vector<T>* items) {
    for (std::size_t i = items->size(); i > 1; --i) {
      std::swap((*items)[i - 1], (*items)[Below(i)]);
    }
  }

 private:
  std::mt19937_64 engine_;
};

struct Abuse {
  // What the client does when it has sent the bytes.
  enum class Then { kReads, kClosesSending, kResets, kDrips };

  std::string bytes;
  Then then = Then::kReads;
  std::string drip{};   // of kDrips: sent again and again
  std::string param{};  // that the error must name
};

// What becomes of the connection after the answer.
enum class After {
  kKept,    // the next request is answered
  kClosed,  // and "Connection: close" has said so
  kEither,
};

constexpr int kNoAnswer = 0;

struct AbuseKind {
  const char* name;
  int share;                  // of a hundred requests
  std::vector<int> statuses;  // those that it may get
  After after;
  Abuse (*make)(Random&);
};

// Their shares are 100 together.
std::vector<AbuseKind> AbuseKinds();
// The parts of it: bodies that are wrong, and bytes that are no request.
std::vector<AbuseKind> BodyAbuses();
std::vector<AbuseKind> TransportAbuses();

// A body that is answered with 200, and where it goes.
struct ValidRequest {
  const char* path;
  const char* body;
};
const std::vector<ValidRequest>& ValidRequests();

}  // namespace tern::testing

#endif  // TERN_TESTS_CLI_SERVE_ABUSE_H_
