#ifndef XKDE_STAGES_SERVE_SERVER_H_
#define XKDE_STAGES_SERVE_SERVER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "stages/ask/answerer.h"
#include "stages/serve/chat_request.h"

namespace xkde::serve {

struct ServeOptions {
  std::string host = "127.0.0.1";  ///< an address of this machine
  int port = 8642;                 ///< 0: any that is free
  size_t most_waiting = 16;        ///< answers that wait for the model, at most
  ChatLimits limits = {};
};

/// A web page to try edits on, and OpenAI's API, over one model. Requests are answered one by one.
class Server {
 public:
  /// Takes the port. Throws IoError where it can't be had. `answerer` outlives the server.
  Server(ask::Answerer& answerer, ServeOptions options);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Where the page is, with the token that every request needs.
  std::string address() const;
  /// Answers until the process is asked to stop. The calling thread is the one that computes.
  /// Throws IoError where nothing can be accepted any more.
  void run();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace xkde::serve

#endif  // XKDE_STAGES_SERVE_SERVER_H_
