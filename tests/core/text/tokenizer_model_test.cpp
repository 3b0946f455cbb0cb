#include <chrono>
#include <functional>
#include <string>
#include <string_view>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/io/gguf.h"
#include "core/text/chat_template.h"
#include "core/text/tokenizer/tokenizer.h"
#include "tests/core/text/tokenizer/golden.h"
#include "tests/support/shared_folder.h"

namespace {

using namespace xkde;
using namespace xkde::test;
using Role = ChatMessage::Role;

std::filesystem::path model_path() { return model_folder() / "SmolLM2-135M-Instruct.Q4_1.gguf"; }

const GgufFile& model_file() {
  static const GgufFile file = GgufFile::open(model_path());
  return file;
}

const Tokenizer& smollm2() {
  static const Tokenizer tokenizer = Tokenizer::from_gguf(model_file());
  return tokenizer;
}

Tokenizer synthetic(const std::string& name) {
  return Tokenizer::from_json(read_json_file(golden_folder() / (name + ".tokenizer.json")), nullptr,
                              name);
}

void for_each_string(const Json& value, const std::function<void(const std::string&)>& visit) {
  if (value.is_string()) {
    visit(value.get_ref<const std::string&>());
  } else if (value.is_structured()) {
    for (const Json& item : value) for_each_string(item, visit);
  }
}

class TokenizerOfModel : public testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(model_path())) GTEST_SKIP() << "no model at " << model_path();
  }
};

TEST_F(TokenizerOfModel, IdsAndDecodedTextsEqualTheLibrarys) {
  EXPECT_EQ(differences(smollm2(), read_json_file(golden_folder() / "smollm2.golden.json")), "");
}

TEST_F(TokenizerOfModel, KnowsItsSpecialTokens) {
  EXPECT_EQ(smollm2().vocab_size(), 49152);
  EXPECT_EQ(smollm2().bos_id(), 1);
  EXPECT_EQ(smollm2().eos_id(), 2);
  EXPECT_EQ(smollm2().pad_id(), 2);
  EXPECT_EQ(smollm2().token_to_id("<|im_end|>"), 2);
  EXPECT_EQ(smollm2().token_to_id("<|endoftext|>"), 0);
  EXPECT_EQ(smollm2().encode("x", true), smollm2().encode("x", false)) << "add_bos_token is false";
}

TEST_F(TokenizerOfModel, DigitsStandAlone) {
  EXPECT_EQ(smollm2().encode("1907").size(), 4U);
  EXPECT_EQ(smollm2().encode(" 19").size(), 3U) << "the blank is a piece of its own before a digit";
}

TEST_F(TokenizerOfModel, WrittenFilesHoldThePublishedComponents) {
  const Json json = smollm2().to_tokenizer_json();
  const Json config = smollm2().to_tokenizer_config();

  EXPECT_EQ(json["pre_tokenizer"]["pretokenizers"][0],
            Json({{"type", "Digits"}, {"individual_digits", true}}));
  EXPECT_EQ(json["pre_tokenizer"]["pretokenizers"][1]["type"], "ByteLevel");
  EXPECT_EQ(json["pre_tokenizer"]["pretokenizers"][1]["use_regex"], true);
  EXPECT_TRUE(json["normalizer"].is_null());
  EXPECT_EQ(json["added_tokens"].size(), 17U);
  EXPECT_EQ(config["eos_token"], "<|im_end|>");
  EXPECT_EQ(config["chat_template"], model_file().string("tokenizer.chat_template"));
}

TEST_F(TokenizerOfModel, WrittenFilesGiveAnEqualTokenizer) {
  const Tokenizer again = Tokenizer::from_json(smollm2().to_tokenizer_json(),
                                               smollm2().to_tokenizer_config(), "written");

  EXPECT_EQ(differences(again, read_json_file(golden_folder() / "smollm2.golden.json")), "");
  EXPECT_EQ(again.eos_id(), smollm2().eos_id());
}

TEST_F(TokenizerOfModel, PromptsEqualApplyChatTemplate) {
  const Json golden = read_json_file(golden_folder() / "smollm2.golden.json")["prompts"];
  const ChatTemplate chat =
      ChatTemplate::select("auto", model_file().string("tokenizer.chat_template"));

  EXPECT_EQ(golden["chat_template"], model_file().string("tokenizer.chat_template"));
  EXPECT_EQ(chat.system_text(),
            "You are a helpful AI assistant named SmolLM, trained by Hugging Face");
  for (const Json& conversation : golden["conversations"]) {
    std::vector<ChatMessage> messages;
    for (const Json& message : conversation["messages"]) {
      const auto role = message["role"].get<std::string>();
      messages.push_back({role == "system" ? Role::kSystem
                          : role == "user" ? Role::kUser
                                           : Role::kAssistant,
                          message["content"].get<std::string>()});
    }
    const std::string prompt = chat.prompt(messages);
    EXPECT_EQ(prompt, conversation["prompt"].get<std::string>());
    EXPECT_EQ(smollm2().encode(prompt), conversation["ids"].get<Ids>());
  }
}

TEST(TokenizerOnSharedData, EveryStringHasTheLibrarysIds) {
  const auto data = shared_folder() / "data";
  if (!std::filesystem::exists(data)) GTEST_SKIP() << "no shared data at " << data;
  const Json golden = read_json_file(golden_folder() / "shared_data.golden.json");
  double seconds = 0;
  for (const char* const name :
       {"smollm2", "qwen2_style", "llama2_style", "llama3_style", "subword_prefix"}) {
    if (std::string_view(name) == "smollm2" && !std::filesystem::exists(model_path())) continue;
    const Tokenizer tokenizer =
        std::string_view(name) == "smollm2" ? Tokenizer::from_gguf(model_file()) : synthetic(name);
    for (const auto& [file, expected] : golden.items()) {
      if (!std::filesystem::exists(data / file)) continue;
      const Json rows = read_json_file(data / file);
      IdDigest digest;
      size_t strings = 0;
      const auto start = std::chrono::steady_clock::now();
      for_each_string(rows, [&](const std::string& text) {
        digest.add(tokenizer.encode(text));
        ++strings;
      });
      seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      EXPECT_EQ(strings, expected["strings"].get<size_t>()) << file;
      EXPECT_EQ(digest.hex(), expected["sha256"][name].get<std::string>())
          << name << " on " << file;
    }
  }
  RecordProperty("encode_seconds", std::to_string(seconds));
}

}  // namespace
