// What a connection writes.
#include <boost/asio/buffer.hpp>

#include "cli/serve/connection.h"
#include "cli/serve/http_text.h"

namespace tern::cli::serve {

void Connection::PutHead(const Reply& reply, bool stream) {
  head_sent_ = true;
  chunked_ = stream && head_.is_1_1;
  if (draining_ || (stream && !chunked_)) keep_alive_ = false;
  record_.status = reply.status;
  HeadText head{reply, service_.CommonFields(head_)};
  head.request_id = record_.id;
  head.keep_alive = keep_alive_;
  head.is_1_1 = head_.is_1_1;
  if (chunked_) {
    head.coding = HeadText::Coding::kChunked;
  } else if (stream) {
    head.coding = HeadText::Coding::kUntilClose;
  }
  outgoing_ += Format(head);
}

void Connection::Send(Reply reply) {
  if (phase_ != Phase::kAnswering || head_sent_) return;
  deadline_.cancel();
  PutHead(reply, false);
  if (head_.method != "HEAD") outgoing_ += reply.body;
  complete_ = true;
  WriteMore();
}

void Connection::StartStream(Reply head) {
  if (phase_ != Phase::kAnswering || head_sent_) return;
  streaming_ = true;
  PutHead(head, true);
  SetDeadline(limits_.ping);
  WriteMore();
}

void Connection::PutPart(std::string_view part) {
  if (chunked_) outgoing_ += ChunkHead(part.size());
  outgoing_ += part;
  if (chunked_) outgoing_ += "\r\n";
}

void Connection::Stream(std::string_view part) {
  if (phase_ != Phase::kAnswering || part.empty()) return;
  PutPart(part);
  if (outgoing_.size() > limits_.pending_bytes) {
    record_.error = "the client takes too little of the stream";
    return Close();
  }
  SetDeadline(limits_.ping);
  WriteMore();
}

void Connection::EndStream() {
  if (phase_ != Phase::kAnswering) return;
  deadline_.cancel();
  if (chunked_) outgoing_ += "0\r\n\r\n";
  complete_ = true;
  WriteMore();
}

void Connection::WriteMore() {
  if (write_runs_ || phase_ == Phase::kClosed) return;
  if (outgoing_.empty()) {
    if (complete_ && phase_ == Phase::kAnswering) Answered();
    return;
  }
  writing_.swap(outgoing_);
  outgoing_.clear();
  written_ = 0;
  write_runs_ = true;
  WriteRest();
}

void Connection::WriteRest() {
  SetWriteDeadline();
  socket_.async_write_some(
      asio::buffer(writing_.data() + written_, writing_.size() - written_),
      Guarded([](Connection& self, IoError error, std::size_t count) {
        self.OnWritten(error, count);
      }));
}

void Connection::OnWritten(IoError error, std::size_t count) {
  if (phase_ == Phase::kClosed) return;
  // The deadline of a request cancels all that runs, and means the read.
  const bool goes_on = timed_out_ && error == asio::error::operation_aborted;
  if (error && !goes_on) return Close();
  record_.bytes_out += count;
  written_ += count;
  if (written_ < writing_.size()) return WriteRest();
  write_runs_ = false;
  write_deadline_.cancel();
  writing_.clear();
  WriteMore();
}

void Connection::SetWriteDeadline() {
  write_deadline_.expires_after(limits_.write);
  write_deadline_.async_wait(Guarded([](Connection& self, IoError error) {
    if (error || !self.write_runs_ ||
        self.write_deadline_.expiry() > asio::steady_timer::clock_type::now()) {
      return;
    }
    self.record_.error = "the client does not read";
    self.Close();
  }));
}

}  // namespace tern::cli::serve
