#ifndef XKDE_STAGES_SERVE_CLIENT_STREAM_H_
#define XKDE_STAGES_SERVE_CLIENT_STREAM_H_

#include <atomic>
#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

#include <httplib.h>

namespace xkde::serve {

/// What a client may take of the thread that serves it.
struct ClientPatience {
  std::chrono::milliseconds first_byte{1000};  ///< for one that has connected and says nothing
  std::chrono::milliseconds silence{5000};     ///< for one that neither sends nor reads
  std::chrono::milliseconds request{30'000};   ///< until all of its request is there
  size_t head_bytes = size_t{1} << 16;         ///< of the line of the request and its headers
};

/// The connection of a client, for one request. httplib's own waits for as long as a byte comes now
/// and then, reads headers without an end, and does not know when the server ends. Gives up a
/// client that is beyond `patience`, and any client once `is_ending`: reads and writes fail.
class ClientStream final : public httplib::Stream {
 public:
  /// `socket` stays the caller's; `is_ending` outlives this.
  ClientStream(int socket, const ClientPatience& patience, const std::atomic<bool>& is_ending);

  bool is_readable() const override;
  /// Whether there is room, and somebody who reads.
  bool is_writable() const override;
  ssize_t read(char* bytes, size_t size) override;
  ssize_t write(const char* bytes, size_t size) override;
  // Nobody asks for these.
  void get_remote_ip_and_port(std::string& ip, int& port) const override;
  void get_local_ip_and_port(std::string& ip, int& port) const override;
  int socket() const override { return socket_; }

 private:
  using Clock = std::chrono::steady_clock;

  bool waits_for(short event, Clock::time_point end) const;
  bool is_there() const;
  /// False where the head of the request is too long.
  bool follow_head(std::string_view bytes);

  const int socket_;
  const ClientPatience patience_;
  const std::atomic<bool>& is_ending_;
  const Clock::time_point request_end_;
  std::string buffer_;
  size_t at_ = 0;  ///< in the buffer, of what comes next
  bool has_begun_ = false;
  bool is_head_ = true;
  size_t head_bytes_ = 0;
  std::string line_;  ///< the first bytes of the line of the head that comes in
};

}  // namespace xkde::serve

#endif  // XKDE_STAGES_SERVE_CLIENT_STREAM_H_
