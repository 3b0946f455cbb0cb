#ifndef XKDE_STAGES_SERVE_ROUTES_H_
#define XKDE_STAGES_SERVE_ROUTES_H_

#include <functional>
#include <memory>
#include <string>

#include <httplib.h>

#include "stages/ask/answerer.h"
#include "stages/serve/answer_queue.h"
#include "stages/serve/chat_request.h"
#include "stages/serve/request_guard.h"

namespace xkde::serve {

/// What the server answers to each request (docs/serve.md). No request names a file. Called by the
/// threads of HTTP; the model answers elsewhere.
class Routes {
 public:
  /// All outlive this.
  Routes(ask::Answerer& answerer, AnswerQueue& queue, const RequestGuard& guard,
         const ChatLimits& limits);

  void add_to(httplib::Server& server);

 private:
  using Act = void (Routes::*)(const httplib::Request&, httplib::Response&);
  httplib::Server::Handler guarded(Act act);

  void page(const httplib::Request& request, httplib::Response& response);
  void models(const httplib::Request& request, httplib::Response& response);
  void chat(const httplib::Request& request, httplib::Response& response);
  void list_facts(const httplib::Request& request, httplib::Response& response);
  void download_facts(const httplib::Request& request, httplib::Response& response);
  void add_fact(const httplib::Request& request, httplib::Response& response);
  void remove_fact(const httplib::Request& request, httplib::Response& response);

  /// Throws ApiError where the queue is full.
  std::shared_ptr<AnswerJob> queued(const ChatRequest& asked);

  ask::Answerer& answerer_;
  AnswerQueue& queue_;
  const RequestGuard& guard_;
  const ChatLimits& limits_;
};

}  // namespace xkde::serve

#endif  // XKDE_STAGES_SERVE_ROUTES_H_
