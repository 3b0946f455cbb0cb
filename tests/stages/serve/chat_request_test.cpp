#include "stages/serve/chat_request.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace xkde::serve {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

ChatRequest parsed(const std::string& keys, const ChatLimits& limits = {}) {
  Json body = Json::parse(R"({"model": "m", "messages": [{"role": "user", "content": "q?"}]})");
  body.update(Json::parse("{" + keys + "}"));
  return parse_chat_request(body.dump(), "m", limits);
}

/// "status key: message".
std::string refusal(const std::string& keys, const ChatLimits& limits = {}) {
  try {
    parsed(keys, limits);
  } catch (const ApiError& error) {
    return std::to_string(error.status()) + " " + error.parameter() + ": " + error.what();
  }
  return "none";
}

TEST(ChatRequest, LeftOutKeysMeanOneGreedyAnswer) {
  const ChatRequest request = parsed("");
  EXPECT_EQ(request.question.messages.size(), 1U);
  EXPECT_EQ(request.question.messages[0].content, "q?");
  EXPECT_FALSE(request.question.with_facts);
  EXPECT_EQ(request.question.language, nullptr);
  EXPECT_EQ(request.options.sampling.temperature, 0.0);
  EXPECT_EQ(request.options.max_new_tokens, 256);
  EXPECT_FALSE(request.is_streamed);
}

TEST(ChatRequest, KeysAreRead) {
  const ChatRequest request = parsed(
      R"("model": "m+edits", "stream": true, "stream_options": {"include_usage": true}, "temperature": 0.5,
         "top_p": 0.9, "seed": -1, "max_completion_tokens": 7, "stop": ["a", "b"], "language": "cz",
         "user": "u", "n": 1, "logprobs": null)");
  EXPECT_TRUE(request.question.with_facts);
  EXPECT_TRUE(request.is_streamed);
  EXPECT_TRUE(request.includes_usage);
  EXPECT_EQ(request.options.sampling.temperature, 0.5);
  EXPECT_EQ(request.options.sampling.top_p, 0.9);
  EXPECT_EQ(request.options.seed, ~uint64_t{0});
  EXPECT_EQ(request.options.max_new_tokens, 7);
  EXPECT_THAT(request.options.stop_texts, ElementsAre("a", "b"));
  EXPECT_EQ(request.question.language->iso, "cs");
}

TEST(ChatRequest, TurnsKeepTheirRoles) {
  const ChatRequest request = parsed(
      R"("messages": [{"role": "developer", "content": "s"}, {"role": "user", "content": "a"},
                      {"role": "assistant", "content": "b"},
                      {"role": "user", "content": [{"type": "text", "text": "c"}, {"type": "text", "text": "d"}]}])");
  using Role = ChatMessage::Role;
  ASSERT_EQ(request.question.messages.size(), 4U);
  EXPECT_EQ(request.question.messages[0].role, Role::kSystem);
  EXPECT_EQ(request.question.messages[2].role, Role::kAssistant);
  EXPECT_EQ(request.question.messages[3].content, "cd");
}

TEST(ChatRequest, WhatItCannotDoIsRefusedByName) {
  EXPECT_THAT(refusal(R"("model": "x")"),
              HasSubstr("404 model: model: expected m or m+edits, found \"x\""));
  EXPECT_THAT(refusal(R"("n": 2)"), HasSubstr("400 n: n: this server does not have it but as 1"));
  EXPECT_THAT(refusal(R"("seeds": 2)"),
              HasSubstr("400 seeds: seeds: this server does not have it"));
  EXPECT_THAT(refusal(R"("max_tokens": 4096)"),
              HasSubstr("a whole number from 1 to 2048, found 4096"));
  EXPECT_THAT(refusal(R"("temperature": -1)"), HasSubstr("a number from 0 to 2, found -1"));
}

TEST(ChatRequest, LengthsAreBounded) {
  const ChatLimits limits{.message_bytes = 3, .messages = 2};
  const std::string two = R"({"role": "user", "content": "ab"})";
  EXPECT_EQ(refusal("\"messages\": [" + two + "]", limits), "none");
  EXPECT_THAT(refusal("\"messages\": [" + two + "," + two + "]", limits),
              HasSubstr("413 messages: messages: expected at most 3 bytes of text, found 4"));
  EXPECT_THAT(refusal("\"messages\": [" + two + "," + two + "," + two + "]", limits),
              HasSubstr("413 messages: messages: expected at most 2, found 3"));
  EXPECT_THAT(refusal(R"("stop": ")" + std::string(300, 'x') + "\""),
              HasSubstr("texts of 1 to 256 bytes"));
}

TEST(ChatRequest, ErrorsHaveOpenAisForm) {
  const Json json = ApiError(404, "model_not_found", "no such model", "model").json();
  EXPECT_EQ(
      json.dump(),
      R"({"error":{"message":"no such model","type":"invalid_request_error","param":"model","code":"model_not_found"}})");
  EXPECT_EQ(ApiError(503, "queue_full", "full").json()["error"]["type"], "server_error");
}

}  // namespace
}  // namespace xkde::serve
