#include "stages/serve/server.h"

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <exception>
#include <optional>
#include <thread>
#include <utility>

#include <fmt/format.h>
#include <httplib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/stop_signals.h"
#include "core/base/stopwatch.h"
#include "stages/serve/answer_queue.h"
#include "stages/serve/client_stream.h"
#include "stages/serve/connection_pool.h"
#include "stages/serve/request_guard.h"
#include "stages/serve/routes.h"

namespace xkde::serve {
namespace {

constexpr std::chrono::milliseconds kStopLook{50};  // how often a request to stop is looked for
constexpr size_t kThreads = 128;                    // connections that are served at a time
constexpr size_t kMostConnections = 128;            // that no thread serves yet
constexpr int kBacklog = 128;                       // that the system holds beside them

}  // namespace

class Server::Impl {
 public:
  Impl(ask::Answerer& answerer, ServeOptions options)
      : answerer_(answerer),
        options_(std::move(options)),
        token_(random_token()),
        guard_(token_, options_.host),
        queue_(options_.most_waiting),
        routes_(answerer_, queue_, guard_, options_.limits) {
    http_.new_task_queue = [this] {
      return new ConnectionPool(kThreads, kMostConnections, is_ending_);
    };
    http_.set_tcp_nodelay(true);
    http_.set_payload_max_length(options_.limits.body_bytes);
    routes_.add_to(http_);
    const std::optional<int> port = http_.take_port(options_.host, options_.port);
    XKDE_CHECK(port, IoError, "serve: expected a free port at ", options_.host, ":", options_.port,
               ", found ", errno == 0 ? "no such address" : std::strerror(errno),
               "; name others with --host and --port");
    port_ = *port;
  }

  std::string address() const {
    const bool is_any = options_.host == "0.0.0.0" || options_.host == "::";
    const std::string host = is_any ? "127.0.0.1" : options_.host;
    const bool is_v6 = host.find(':') != std::string::npos;
    return fmt::format("http://{}:{}/?token={}", is_v6 ? "[" + host + "]" : host, port_, token_);
  }

  void run() {
    std::atomic<bool> is_deaf = false;
    std::thread listener([&] {
      http_.listen_after_bind();
      is_deaf = true;
    });
    while (!http_.is_running() && !is_deaf) std::this_thread::sleep_for(kStopLook);
    while (!stop_requested() && !is_deaf) {
      if (const std::shared_ptr<AnswerJob> job = queue_.take(kStopLook)) answer(*job);
    }
    const bool was_deaf = is_deaf;
    is_ending_ = true;
    queue_.close();
    http_.stop();
    listener.join();
    XKDE_CHECK(!was_deaf, IoError, "serve: expected to accept connections at ", options_.host, ":",
               port_, ", found that the system gives no more");
  }

 private:
  /// httplib's, with a longer queue of the system, no port shared with another process, and bounds
  /// for each client.
  class Http final : public httplib::Server {
   public:
    explicit Http(const std::atomic<bool>& is_ending) : is_ending_(is_ending) {
      set_socket_options([](socket_t socket) {
        const int yes = 1;
        ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
      });
    }
    /// The port that is taken; nothing and errno where none is.
    std::optional<int> take_port(const std::string& host, int port) {
      errno = 0;
      if (port == 0)
        port = bind_to_any_port(host);
      else if (!bind_to_port(host, port))
        port = -1;
      if (port < 0 || ::listen(svr_sock_, kBacklog) != 0) return std::nullopt;
      return port;
    }

   private:
    /// One request: a thread that waits for a second one would serve nobody.
    bool process_and_close_socket(socket_t socket) override {
      bool is_served = false;
      try {
        ClientStream client(socket, {}, is_ending_);
        bool wants_to_close = true;
        is_served = process_request(client, /*close_connection=*/true, wants_to_close, nullptr);
      } catch (const std::exception& error) {
        log::warning(concat("serve: a connection fails: ", error.what()));
      }
      ::shutdown(socket, SHUT_RDWR);
      ::close(socket);
      return is_served;
    }

    const std::atomic<bool>& is_ending_;
  };

  /// An answer that fails ends itself alone.
  void answer(AnswerJob& job) {
    const Stopwatch watch;
    try {
      ask::Answer answer = answerer_.answer(
          job.prompt, job.options, [&](std::string_view piece) { return job.stream.put(piece); });
      log::info(fmt::format(
          "serve: {} tokens to {} in {:.2f} s{}", answer.new_tokens, job.prompt.ids.size(),
          watch.seconds(),
          answer.finish_reason == FinishReason::kCancelled ? ": the client hung up" : ""));
      job.stream.end(std::move(answer));
    } catch (const StopRequested&) {
      job.stream.fail("the server ends");
    } catch (const std::exception& error) {
      log::warning(concat("serve: no answer: ", error.what()));
      job.stream.fail(error.what());
    }
  }

  ask::Answerer& answerer_;
  const ServeOptions options_;
  const std::string token_;
  const RequestGuard guard_;
  AnswerQueue queue_;
  Routes routes_;
  std::atomic<bool> is_ending_ = false;
  Http http_{is_ending_};
  int port_ = 0;
};

Server::Server(ask::Answerer& answerer, ServeOptions options)
    : impl_(std::make_unique<Impl>(answerer, std::move(options))) {}
Server::~Server() = default;

std::string Server::address() const { return impl_->address(); }
void Server::run() { impl_->run(); }

}  // namespace xkde::serve
