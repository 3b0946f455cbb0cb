#ifndef XKDE_STAGES_SERVE_CHAT_REPLY_H_
#define XKDE_STAGES_SERVE_CHAT_REPLY_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/io/json_file.h"
#include "core/memory/fact_finder.h"
#include "stages/ask/answerer.h"

namespace xkde::serve {

/// The objects of OpenAI's API that answer one request. Beside OpenAI's keys they have `facts`:
/// what the question found, the nearest first, each with its cosine.
class ChatReply {
 public:
  ChatReply(std::string model, const ask::Prompt& prompt);

  Json whole(const ask::Answer& answer) const;
  // Chunks of a stream, in this order.
  Json first() const;  ///< says who speaks, and has the facts
  Json piece(std::string_view text) const;
  Json last(const ask::Answer& answer) const;
  Json usage_alone(const ask::Answer& answer) const;

 private:
  Json head(std::string_view object) const;
  Json chunk(Json delta, Json finish_reason) const;
  Json usage(const ask::Answer& answer) const;

  std::string id_, model_;
  int64_t created_;
  int64_t prompt_tokens_;
  Json facts_;
};

/// An event of a stream: "data: …" and an empty line.
std::string event_text(const Json& json);
inline constexpr std::string_view kLastEvent = "data: [DONE]\n\n";

/// {number, question, answer, language}.
Json fact_json(int64_t number, const MemoryFact& fact);

}  // namespace xkde::serve

#endif  // XKDE_STAGES_SERVE_CHAT_REPLY_H_
