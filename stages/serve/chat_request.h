#ifndef XKDE_STAGES_SERVE_CHAT_REQUEST_H_
#define XKDE_STAGES_SERVE_CHAT_REQUEST_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/io/json_file.h"
#include "stages/ask/answerer.h"
#include "stages/serve/api_error.h"

namespace xkde::serve {

/// What stands behind the model's name where its questions find facts.
inline constexpr std::string_view kWithEdits = "+edits";

/// What one request may ask for.
struct ChatLimits {
  size_t body_bytes = size_t{1} << 20;
  size_t message_bytes = size_t{1} << 15;  ///< of all messages together
  size_t messages = 256;
  int64_t new_tokens = 2048;
  int64_t default_new_tokens = 256;
};

/// A request to /v1/chat/completions. Whether facts are looked up goes by the model's name.
struct ChatRequest {
  std::string model;  ///< as it was asked for
  ask::Question question;
  ask::AnswerOptions options;
  bool is_streamed = false;
  bool includes_usage = false;  ///< of a stream
};

/// Throws ApiError, 413 for what is too long, 404 for another model, else 400 with the key.
ChatRequest parse_chat_request(std::string_view body, const std::string& model_name,
                               const ChatLimits& limits);

/// The body as a JSON object. Throws ApiError 400.
Json parse_body(std::string_view body);
/// The text at `key`. Throws ApiError 400 where it is no text, or none and there is no `fallback`.
std::string text_at(const Json& object, const char* key, const char* fallback = nullptr);

}  // namespace xkde::serve

#endif  // XKDE_STAGES_SERVE_CHAT_REQUEST_H_
