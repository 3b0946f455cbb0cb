#include "core/data/preference_rows.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_folder.h"

namespace xkde {
namespace {

using test::message_of;
using testing::HasSubstr;

constexpr const char* kOne = R"({"prompt": "a", "chosen": "b", "rejected": "c"})";
constexpr const char* kTwo = R"({"prompt": "d", "chosen": "e", "rejected": "f", "split": "dev"})";

class PreferenceRows : public testing::Test {
 protected:
  std::vector<PairRow> pairs(const std::string& text) {
    return read_pairs(folder_.write("pairs.jsonl", text));
  }
  std::string refusal(const std::string& text) {
    return message_of<DataError>([&] { pairs(text); });
  }
  test::TempFolder folder_;
};

TEST_F(PreferenceRows, AWholeLastLineNeedsNoLineFeed) {
  for (const char* end : {"", "\n", "\r\n", "\n\n"}) {
    const std::vector<PairRow> rows = pairs(std::string(kOne) + "\n" + kTwo + end);

    ASSERT_EQ(rows.size(), 2U);
    EXPECT_EQ(rows[0].rejected, "c");
    EXPECT_EQ(rows[1].prompt, "d");
    EXPECT_TRUE(rows[1].is_dev);
  }
}

TEST_F(PreferenceRows, ListsOfMessagesAreWrittenByTheTemplate) {
  const ChatTemplate chat = ChatTemplate::select("chatml_no_system", "");
  const std::string user = R"({"role": "user", "content": "q"})";
  const auto answer = [](const std::string& text) {
    return R"({"role": "assistant", "content": ")" + text + "\"}";
  };
  const std::string with_prompt = R"({"prompt": [)" + user + R"(], "chosen": [)" + answer("a") +
                                  R"(], "rejected": [)" + answer("b") + "]}";
  const std::string whole = R"({"chosen": [)" + user + ", " + answer("a") + R"(], "rejected": [)" +
                            user + ", " + answer("b") + "]}";

  for (const std::string& line : {with_prompt, whole}) {
    const PairRow row = as_texts(pairs(line).at(0), chat);

    EXPECT_EQ(row.prompt, "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n");
    EXPECT_EQ(row.chosen, "a<|im_end|>\n");
    EXPECT_EQ(row.rejected, "b<|im_end|>\n");
  }
  EXPECT_THAT(refusal(R"({"prompt": [)" + user + R"(], "chosen": [)" + answer("a") +
                      R"(], "rejected": "b"})"),
              HasSubstr("line 1: rejected: expected a list of messages"));
  EXPECT_THAT(refusal(R"({"chosen": [)" + user + R"(], "rejected": [)" + user + "]}"),
              HasSubstr("expected a last message of the assistant"));
  EXPECT_THAT(refusal(R"({"prompt": "a", "chosen": "b", "rejected": "c", "weight": 2})"),
              HasSubstr("pairs.jsonl: line 1: expected the keys id, prompt, chosen, rejected, "
                        "score_chosen, score_rejected, split, found \"weight\""));
}

TEST_F(PreferenceRows, KeysOfSamplesThatAreNotKnownAreErrors) {
  const auto refused = [&](const std::string& text) {
    return message_of<DataError>([&] { read_samples(folder_.write("samples.jsonl", text)); });
  };

  EXPECT_THAT(refused(R"({"prompt": "a", "gold": "b", "answers": [], "system": "s"})"),
              HasSubstr("samples.jsonl: line 1: expected the keys id, prompt, gold, answers, "
                        "edit_language, test_language, found \"system\""));
  EXPECT_THAT(refused(R"({"prompt": "a", "gold": "b", "answers": [{"text": "c", "weight": 2}]})"),
              HasSubstr("samples.jsonl: line 1: answers.0: expected the keys text, token_ids, "
                        "finish_reason, found \"weight\""));
}

TEST_F(PreferenceRows, ALineThatWasCutShortIsTold) {
  const std::string two = kTwo;
  for (size_t bytes = 1; bytes < two.size(); ++bytes) {
    EXPECT_THAT(refusal(concat(kOne, "\n", two.substr(0, bytes))),
                HasSubstr(concat("pairs.jsonl: line 2: expected a whole line, found one that was "
                                 "cut short after ",
                                 bytes, " bytes")));
  }
  EXPECT_THAT(refusal("{\n" + two), HasSubstr("pairs.jsonl: line 1:1:"));
}

TEST_F(PreferenceRows, AListInThePlaceOfLinesIsTold) {
  for (const std::string& text :
       {std::string("[\n") + kOne + "\n]\n", std::string("[") + kOne + ", " + kTwo + "]"}) {
    EXPECT_THAT(refusal(text), HasSubstr("pairs.jsonl: line 1: expected one JSON object a line, "
                                         "found the beginning of a list"));
  }
}

TEST_F(PreferenceRows, AReadThatFailsIsNoEnd) {
  EXPECT_THAT(message_of<MissingInputError>([] { read_pairs("/proc/self/mem"); }),
              HasSubstr("cannot be read: Input/output error"));
  EXPECT_THAT(message_of<MissingInputError>([&] { read_samples(folder_.path() / "none"); }),
              HasSubstr("expected a file, found none"));
}

}  // namespace
}  // namespace xkde
