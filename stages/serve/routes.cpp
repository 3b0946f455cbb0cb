#include "stages/serve/routes.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string_view>
#include <utility>

#include "core/base/error.h"
#include "core/data/language.h"
#include "stages/serve/chat_reply.h"
#include "stages/serve/page.h"

namespace xkde::serve {
namespace {

constexpr std::chrono::milliseconds kClientLook{100};  // how often a client is looked after
constexpr size_t kMostFactBytes = 4096;
constexpr const char* kJson = "application/json";

/// Whether httplib reads a body, of a stated length or not. That of DELETE needs one.
bool reads_body(const std::string& method) {
  constexpr std::string_view kMethods[] = {"POST", "PUT", "PATCH", "PRI"};
  return std::find(std::begin(kMethods), std::end(kMethods), method) != std::end(kMethods);
}

RequestHead head_of(const httplib::Request& request, const std::string& host,
                    const std::string& authorization, const std::string& token) {
  RequestHead head{
      .path = request.path, .host = host, .authorization = authorization, .query_token = token};
  head.is_chunked = request.has_header("Transfer-Encoding");
  head.is_packed = request.has_header("Content-Encoding");
  head.is_ranged = request.has_header("Range");
  if (request.has_header("Content-Length")) {
    head.content_length = request.get_header_value<uint64_t>("Content-Length");
  } else {
    head.has_no_end = reads_body(request.method);
  }
  return head;
}

void tell(const ApiError& error, httplib::Response& response) {
  response.status = error.status();
  if (error.status() == 503) response.set_header("Retry-After", "5");
  if (error.status() == 401) response.set_header("WWW-Authenticate", "Bearer");
  response.set_content(json_text(error.json()), kJson);
}

void tell(const Json& json, httplib::Response& response) {
  response.set_content(json_text(json), kJson);
}

/// What HTTP itself refuses, in the form of all other errors.
void fill_in(const httplib::Request& /*request*/, httplib::Response& response) {
  if (!response.body.empty()) return;
  const int status = response.status;
  if (status == 413) {
    return tell(
        ApiError(413, "request_too_large", "body: expected a shorter one, found too many bytes"),
        response);
  }
  if (status == 404)
    return tell(ApiError(404, "not_found",
                         "address: expected a path that docs/serve.md names, found another"),
                response);
  tell(ApiError(status, "bad_request",
                concat("request: expected HTTP that this server reads, found status ", status)),
       response);
}

/// Sends an answer while it is made. A client that hung up ends it.
void send_answer(const std::shared_ptr<AnswerJob>& job, const ChatRequest& asked,
                 httplib::Response& response) {
  const auto reply = std::make_shared<ChatReply>(asked.model, job->prompt);
  const auto send = [](httplib::DataSink& sink, const std::string& text) {
    return sink.write(text.data(), text.size());
  };
  const bool streamed = asked.is_streamed, usage = asked.includes_usage;
  const auto provide = [=](size_t offset, httplib::DataSink& sink) {
    if (streamed && offset == 0) return send(sink, event_text(reply->first()));
    const AnswerStream::State state = job->stream.next(kClientLook);
    // The status is sent already: a reply that breaks off tells that something is wrong.
    if (state.failure || !sink.is_writable()) return false;
    std::string text;
    if (streamed && !state.text.empty()) text += event_text(reply->piece(state.text));
    if (state.answer && streamed) {
      text += event_text(reply->last(*state.answer));
      if (usage) text += event_text(reply->usage_alone(*state.answer));
      text += kLastEvent;
    } else if (state.answer) {
      text = json_text(reply->whole(*state.answer));
    }
    if (!text.empty() && !send(sink, text)) return false;
    if (state.answer) sink.done();
    return true;
  };
  response.set_header("Cache-Control", "no-store");
  response.set_chunked_content_provider(streamed ? "text/event-stream" : kJson, provide,
                                        [job](bool /*is_sent*/) { job->stream.cancel(); });
}

}  // namespace

Routes::Routes(ask::Answerer& answerer, AnswerQueue& queue, const RequestGuard& guard,
               const ChatLimits& limits)
    : answerer_(answerer), queue_(queue), guard_(guard), limits_(limits) {}

void Routes::add_to(httplib::Server& server) {
  using Handled = httplib::Server::HandlerResponse;
  server.set_pre_routing_handler(
      [this](const httplib::Request& request, httplib::Response& response) {
        const bool one_host = request.get_header_value_count("Host") == 1;
        const std::string host = one_host ? request.get_header_value("Host") : "";
        const std::string authorization = request.get_header_value("Authorization");
        const std::string token = request.get_param_value("token");
        const std::optional<ApiError> refusal =
            guard_.refusal(head_of(request, host, authorization, token));
        if (!refusal) return Handled::Unhandled;
        tell(*refusal, response);
        return Handled::Handled;
      });
  server.set_error_handler(httplib::Server::Handler(fill_in));
  server.set_default_headers({{"X-Content-Type-Options", "nosniff"},
                              {"Referrer-Policy", "no-referrer"},
                              {"Cross-Origin-Resource-Policy", "same-origin"}});
  server.Get("/", guarded(&Routes::page));
  server.Get("/v1/models", guarded(&Routes::models));
  server.Post("/v1/chat/completions", guarded(&Routes::chat));
  server.Get("/facts", guarded(&Routes::list_facts));
  server.Get("/facts.jsonl", guarded(&Routes::download_facts));
  server.Post("/facts", guarded(&Routes::add_fact));
  server.Delete(R"(/facts/(\d{1,15}))", guarded(&Routes::remove_fact));
}

httplib::Server::Handler Routes::guarded(Act act) {
  return [this, act](const httplib::Request& request, httplib::Response& response) {
    try {
      (this->*act)(request, response);
    } catch (const ApiError& error) {
      tell(error, response);
    } catch (const DataError& error) {
      tell(ApiError(400, "invalid_value", error.what()), response);
    } catch (const ConfigError& error) {
      tell(ApiError(400, "invalid_value", error.what()), response);
    } catch (const std::exception& error) {
      tell(ApiError(500, "internal_error", error.what()), response);
    }
  };
}

void Routes::page(const httplib::Request& /*request*/, httplib::Response& response) {
  response.set_header("Content-Security-Policy",
                      "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
                      "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
                      "frame-ancestors 'none'");
  response.set_header("Cache-Control", "no-store");
  const std::string_view text = page_text();
  response.set_content(text.data(), text.size(), "text/html; charset=utf-8");
}

void Routes::models(const httplib::Request& /*request*/, httplib::Response& response) {
  Json models = Json::array();
  for (const std::string_view end : {std::string_view(), kWithEdits}) {
    models.push_back({{"id", concat(answerer_.model_name(), end)},
                      {"object", "model"},
                      {"created", 0},
                      {"owned_by", "xkde_dist"}});
  }
  tell(Json{{"object", "list"}, {"data", models}}, response);
}

std::shared_ptr<AnswerJob> Routes::queued(const ChatRequest& asked) {
  const auto job = std::make_shared<AnswerJob>();
  job->prompt = answerer_.prompt(asked.question);
  job->options = asked.options;
  const int64_t length = std::ssize(job->prompt.ids), most = answerer_.context_length();
  if (length >= most) {
    throw ApiError(400, "context_length_exceeded",
                   concat("messages: expected fewer tokens than the ", most,
                          " of the model's context, found ", length),
                   "messages");
  }
  if (!queue_.offer(job)) {
    throw ApiError(503, "queue_full", "expected room in the queue, found it full; ask again later");
  }
  return job;
}

void Routes::chat(const httplib::Request& request, httplib::Response& response) {
  const ChatRequest asked = parse_chat_request(request.body, answerer_.model_name(), limits_);
  send_answer(queued(asked), asked, response);
}

void Routes::list_facts(const httplib::Request& /*request*/, httplib::Response& response) {
  Json facts = Json::array();
  for (const auto& [number, fact, is_added] : answerer_.facts().entries()) {
    facts.push_back(fact_json(number, fact));
    facts.back()["added"] = is_added;
  }
  Json known = Json::array();
  for (const Language& language : languages())
    known.push_back({{"code", language.iso}, {"name", language.english_name}});
  tell(Json{{"model", answerer_.model_name()},
            {"facts", facts},
            {"shown", answerer_.shown_facts()},
            {"condition", answerer_.facts().condition()},
            {"language", answerer_.language().iso},
            {"languages", known}},
       response);
}

void Routes::download_facts(const httplib::Request& /*request*/, httplib::Response& response) {
  response.set_header("Content-Disposition", "attachment; filename=\"facts.jsonl\"");
  response.set_content(answerer_.facts().json_lines(), "application/x-ndjson");
}

void Routes::add_fact(const httplib::Request& request, httplib::Response& response) {
  const Json body = parse_body(request.body);
  ask::NewFact fact{.question = text_at(body, "question"),
                    .answer = text_at(body, "answer"),
                    .language = text_at(body, "language", answerer_.language().iso.c_str()),
                    .subject = text_at(body, "subject", "")};
  for (const std::string* text : {&fact.question, &fact.answer, &fact.subject}) {
    if (text->size() > kMostFactBytes) {
      throw ApiError(413, "request_too_large",
                     concat("fact: expected texts of at most ", kMostFactBytes, " bytes, found ",
                            text->size()));
    }
  }
  if (answerer_.facts().is_full()) {
    throw ApiError(400, "too_many_facts",
                   concat("facts: expected at most ", ask::FactStore::kMostRemembered,
                          " since the start, found as many; those that were removed count"));
  }
  const int64_t number = answerer_.facts().add(fact);
  response.status = 201;
  tell(fact_json(number, {fact.question, fact.answer, language_of(fact.language).iso, number}),
       response);
}

void Routes::remove_fact(const httplib::Request& request, httplib::Response& response) {
  const std::string text = request.matches[1];
  int64_t number = -1;
  std::from_chars(text.data(), text.data() + text.size(), number);
  if (!answerer_.facts().remove(number))
    throw ApiError(404, "not_found", concat("facts: expected the number of a fact, found ", text));
  response.status = 204;
}

}  // namespace xkde::serve
