#include "distributed/job/link.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/stopwatch.h"

namespace xkde::dist {
namespace {

constexpr size_t kLongestLine = 1 << 16;  // no rank of ours sends more

void set_option(int socket, int level, int name, int value) {
  setsockopt(socket, level, name, &value, sizeof(value));
}

// The systems of both hosts ask each other every second, whatever the processes do.
void keep_alive(int socket) {
  set_option(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(socket, IPPROTO_TCP, TCP_KEEPIDLE, 1);
  set_option(socket, IPPROTO_TCP, TCP_KEEPINTVL, 1);
  set_option(socket, IPPROTO_TCP, TCP_KEEPCNT, 127);  // the most: it is not the system's to decide
  set_option(socket, IPPROTO_TCP, TCP_NODELAY, 1);
}

Link::State state_after(int error) {
  const bool no_way = error == ETIMEDOUT || error == EHOSTUNREACH || error == ENETUNREACH;
  return no_way ? Link::State::kUnreachable : Link::State::kClosed;
}

bool may_come_later(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

}  // namespace

Link::Link(int socket) : socket_(socket) {
  int domain = AF_UNIX;
  socklen_t length = sizeof(domain);
  getsockopt(socket_, SOL_SOCKET, SO_DOMAIN, &domain, &length);
  is_tcp_ = domain != AF_UNIX;
  if (is_tcp_) keep_alive(socket_);
  fcntl(socket_, F_SETFL, fcntl(socket_, F_GETFL) | O_NONBLOCK);
}

Link::~Link() { close(socket_); }

void Link::write_waiting() {
  while (state_ == State::kOpen && !out_.empty()) {
    const ssize_t count = ::send(socket_, out_.data(), out_.size(), MSG_NOSIGNAL);
    if (count > 0) {
      out_.erase(0, static_cast<size_t>(count));
    } else if (errno != EINTR) {
      // A broken connection shows when it is read: what the other end sent last comes first.
      return;
    }
  }
}

void Link::offer(std::string_view line) {
  write_waiting();
  if (out_.empty()) send(line);
}

void Link::send(std::string_view line) {
  out_.append(line).append("\n");
  write_waiting();
}

std::vector<std::string> Link::receive() {
  std::array<char, 4096> buffer{};
  while (state_ == State::kOpen) {
    const ssize_t count = recv(socket_, buffer.data(), buffer.size(), 0);
    if (count > 0) {
      in_.append(buffer.data(), static_cast<size_t>(count));
      if (in_.size() > 16 * kLongestLine) break;  // the rest at the next call
    } else if (count == 0) {
      state_ = State::kClosed;
    } else if (errno != EINTR) {
      if (!may_come_later(errno)) state_ = state_after(errno);
      break;
    }
  }
  std::vector<std::string> lines;
  size_t begin = 0;
  for (size_t end = in_.find('\n'); end != std::string::npos; end = in_.find('\n', begin)) {
    lines.push_back(in_.substr(begin, end - begin));
    begin = end + 1;
  }
  in_.erase(0, begin);
  if (in_.size() > kLongestLine) state_ = State::kClosed;
  return lines;
}

double Link::silent_s() const {
  if (!is_tcp_) return 0;
  tcp_info info{};
  socklen_t length = sizeof(info);
  if (getsockopt(socket_, IPPROTO_TCP, TCP_INFO, &info, &length) != 0) return 0;
  return std::min(info.tcpi_last_ack_recv, info.tcpi_last_data_recv) / 1e3;
}

void Link::finish(double patience_s) {
  write_waiting();
  shutdown(socket_, SHUT_WR);
  const Stopwatch waited;
  while (state_ == State::kOpen && waited.seconds() < patience_s) {
    pollfd descriptor{.fd = socket_, .events = POLLIN, .revents = 0};
    poll(&descriptor, 1, 10);
    receive();
  }
}

}  // namespace xkde::dist
