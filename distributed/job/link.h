#ifndef XKDE_DISTRIBUTED_JOB_LINK_H_
#define XKDE_DISTRIBUTED_JOB_LINK_H_

#include <string>
#include <string_view>
#include <vector>

namespace xkde::dist {

/// A connection between two processes: lines of text both ways, without ever waiting. Of one
/// thread.
class Link {
 public:
  enum class State {
    kOpen,
    kClosed,       ///< the process at the other end is gone, or has closed it
    kUnreachable,  ///< the system says that no way leads to the other host
  };

  /// Takes over a connected stream socket, of a Unix domain or TCP.
  explicit Link(int socket);
  ~Link();
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  int socket() const noexcept { return socket_; }
  State state() const noexcept { return state_; }
  /// Sends a line that has no line break, or leaves it out while the other end does not read.
  void offer(std::string_view line);
  /// Sends a line after all that wait.
  void send(std::string_view line);
  /// Whole lines that came since the last call.
  std::vector<std::string> receive();
  /// How long the other host has given no sign of life, in seconds. Its system gives one each
  /// second, also for a process that computes or is stopped. 0 within a host.
  double silent_s() const;
  /// Says that no more will come, and reads until the other end does so, for at most `patience_s`:
  /// what was sent last arrives, which closing alone does not promise.
  void finish(double patience_s);

 private:
  void write_waiting();

  int socket_;
  bool is_tcp_ = false;
  State state_ = State::kOpen;
  std::string out_;  ///< what the socket did not take yet
  std::string in_;   ///< the beginning of a line
};

}  // namespace xkde::dist

#endif  // XKDE_DISTRIBUTED_JOB_LINK_H_
