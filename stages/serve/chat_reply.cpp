#include "stages/serve/chat_reply.h"

#include <chrono>
#include <utility>

#include "core/base/error.h"
#include "stages/serve/api_error.h"
#include "stages/serve/request_guard.h"

namespace xkde::serve {
namespace {

int64_t seconds_now() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

ChatReply::ChatReply(std::string model, const ask::Prompt& prompt)
    : id_("chatcmpl-" + random_token()),
      model_(std::move(model)),
      created_(seconds_now()),
      prompt_tokens_(std::ssize(prompt.ids)),
      facts_(Json::array()) {
  for (const auto& [index, fact, cosine] : prompt.found) {
    facts_.push_back(fact_json(index, fact));
    facts_.back()["cosine"] = cosine;
  }
}

Json ChatReply::head(std::string_view object) const {
  return {{"id", id_}, {"object", object}, {"created", created_}, {"model", model_}};
}

Json ChatReply::usage(const ask::Answer& answer) const {
  return {{"prompt_tokens", prompt_tokens_},
          {"completion_tokens", answer.new_tokens},
          {"total_tokens", prompt_tokens_ + answer.new_tokens}};
}

Json ChatReply::whole(const ask::Answer& answer) const {
  Json json = head("chat.completion");
  json["choices"] = Json::array(
      {{{"index", 0},
        {"message", {{"role", "assistant"}, {"content", answer.text}, {"refusal", nullptr}}},
        {"logprobs", nullptr},
        {"finish_reason", finish_reason_name(answer.finish_reason)}}});
  json["usage"] = usage(answer);
  json["facts"] = facts_;
  return json;
}

Json ChatReply::chunk(Json delta, Json finish_reason) const {
  Json json = head("chat.completion.chunk");
  json["choices"] = Json::array({{{"index", 0},
                                  {"delta", std::move(delta)},
                                  {"logprobs", nullptr},
                                  {"finish_reason", std::move(finish_reason)}}});
  return json;
}

Json ChatReply::first() const {
  Json json = chunk({{"role", "assistant"}, {"content", ""}}, nullptr);
  json["facts"] = facts_;
  return json;
}

Json ChatReply::piece(std::string_view text) const { return chunk({{"content", text}}, nullptr); }

Json ChatReply::last(const ask::Answer& answer) const {
  return chunk(Json::object(), finish_reason_name(answer.finish_reason));
}

Json ChatReply::usage_alone(const ask::Answer& answer) const {
  Json json = head("chat.completion.chunk");
  json["choices"] = Json::array();
  json["usage"] = usage(answer);
  return json;
}

std::string event_text(const Json& json) { return concat("data: ", json_text(json), "\n\n"); }

Json fact_json(int64_t number, const MemoryFact& fact) {
  return {{"number", number},
          {"question", fact.prompt},
          {"answer", fact.target},
          {"language", fact.language}};
}

}  // namespace xkde::serve
