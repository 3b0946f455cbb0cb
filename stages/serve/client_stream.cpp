#include "stages/serve/client_stream.h"

#include <algorithm>
#include <cerrno>

#include <poll.h>
#include <sys/socket.h>

namespace xkde::serve {
namespace {

constexpr std::chrono::milliseconds kEndingLook{100};  // how often is_ending is looked at
constexpr size_t kReadBytes = size_t{1} << 14;

/// Whether `event` has come within that time; maybe not yet where a signal interrupts.
bool comes_within(int socket, short event, std::chrono::milliseconds time) {
  pollfd asked{.fd = socket, .events = event, .revents = 0};
  return ::poll(&asked, 1, static_cast<int>(time.count())) > 0;
}

}  // namespace

ClientStream::ClientStream(int socket, const ClientPatience& patience,
                           const std::atomic<bool>& is_ending)
    : socket_(socket),
      patience_(patience),
      is_ending_(is_ending),
      request_end_(Clock::now() + patience.request) {}

bool ClientStream::waits_for(short event, Clock::time_point end) const {
  while (!is_ending_) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now());
    if (left.count() <= 0) return false;
    if (comes_within(socket_, event, std::min(left, kEndingLook))) return true;
  }
  return false;
}

bool ClientStream::is_there() const {
  if (!comes_within(socket_, POLLIN, std::chrono::milliseconds(0))) return true;
  char byte = 0;
  return ::recv(socket_, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

bool ClientStream::is_readable() const {
  const auto silence = has_begun_ ? patience_.silence : patience_.first_byte;
  return at_ < buffer_.size() || waits_for(POLLIN, std::min(Clock::now() + silence, request_end_));
}

bool ClientStream::is_writable() const {
  return waits_for(POLLOUT, Clock::now() + patience_.silence) && is_there();
}

ssize_t ClientStream::read(char* bytes, size_t size) {
  if (at_ == buffer_.size()) {
    if (!is_readable()) return -1;
    buffer_.resize(kReadBytes);
    const ssize_t got = ::recv(socket_, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    buffer_.resize(got > 0 ? static_cast<size_t>(got) : 0);
    at_ = 0;
    if (got <= 0) return got;
    has_begun_ = true;
  }
  const size_t count = std::min(size, buffer_.size() - at_);
  std::copy_n(buffer_.data() + at_, count, bytes);
  at_ += count;
  return follow_head({bytes, count}) ? static_cast<ssize_t>(count) : -1;
}

ssize_t ClientStream::write(const char* bytes, size_t size) {
  if (!is_writable()) return -1;
  const ssize_t sent = ::send(socket_, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
  return sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? 0 : sent;
}

bool ClientStream::follow_head(std::string_view bytes) {
  for (const char byte : bytes) {
    if (!is_head_) return true;
    ++head_bytes_;
    if (byte == '\n') {
      is_head_ = line_ != "\r";  // the head ends with an empty line
      line_.clear();
    } else if (line_.size() < 2) {
      line_ += byte;
    }
  }
  return head_bytes_ <= patience_.head_bytes;
}

void ClientStream::get_remote_ip_and_port(std::string& ip, int& port) const {
  ip.clear();
  port = 0;
}

void ClientStream::get_local_ip_and_port(std::string& ip, int& port) const {
  ip.clear();
  port = 0;
}

}  // namespace xkde::serve
