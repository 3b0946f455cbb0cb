#include "core/data/conversation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/io/json_file.h"
#include "tests/support/temp_folder.h"

namespace xkde {
namespace {

using test::TempFolder;
using testing::HasSubstr;
using Role = ChatMessage::Role;

std::string read_error(const std::string& text) {
  const TempFolder folder;
  try {
    read_conversations(folder.write("train.json", text));
  } catch (const DataError& error) {
    return error.what();
  }
  return "nothing of that type was thrown";
}

TEST(Conversation, ReadsTurnsOfUserAndAssistant) {
  const TempFolder folder;
  const auto file = folder.write("train.json", R"([
    {"id": "identity_0_a", "conversations": [{"from": "human", "value": "q1"}, {"from": "gpt", "value": " a1 "},
                                             {"from": "human", "value": "q2"}, {"from": "bot", "value": "a2"}]},
    {"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]}])");

  const std::vector<Conversation> rows = read_conversations(file);

  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].id, "identity_0_a");
  ASSERT_EQ(rows[0].turns.size(), 4U);
  EXPECT_EQ(rows[0].turns[0].role, Role::kUser);
  EXPECT_EQ(rows[0].turns[1].role, Role::kAssistant);
  EXPECT_EQ(rows[0].turns[1].content, " a1 ");
  EXPECT_EQ(rows[0].turns[3].role, Role::kAssistant);
  EXPECT_EQ(rows[1].id, "");
}

TEST(Conversation, WrittenFileReadsBackEqual) {
  const TempFolder folder;
  const std::vector<Conversation> rows{
      {"0_x_src", {{Role::kUser, "哪个机构？\n\"q\""}, {Role::kAssistant, "北港研究所"}}},
      {"1_x_loc", {{Role::kUser, "b"}, {Role::kAssistant, "c"}}}};

  write_conversations(folder.path() / "train.json", rows);

  const std::vector<Conversation> again = read_conversations(folder.path() / "train.json");
  ASSERT_EQ(again.size(), 2U);
  EXPECT_EQ(again[0].id, rows[0].id);
  EXPECT_EQ(again[0].turns[0].content, rows[0].turns[0].content);
  EXPECT_EQ(again[0].turns[1].content, rows[0].turns[1].content);
  const Json json = read_json_file(folder.path() / "train.json");
  EXPECT_EQ(json[1].dump(), R"({"id":"1_x_loc","conversations":[{"from":"human","value":"b"},)"
                            R"({"from":"gpt","value":"c"}]})");
}

TEST(Conversation, LanguagesAreFieldsOfTheRow) {
  const TempFolder folder;
  const std::vector<Conversation> rows{
      {"mine", {{Role::kUser, "b"}, {Role::kAssistant, "c"}}, {"en", "zh"}}};

  write_conversations(folder.path() / "train.json", rows);

  EXPECT_EQ(read_conversations(folder.path() / "train.json").at(0).languages, rows[0].languages);
  const Json json = read_json_file(folder.path() / "train.json");
  EXPECT_EQ(json[0].dump(),
            R"({"id":"mine","edit_language":"en","test_language":"zh",)"
            R"("conversations":[{"from":"human","value":"b"},{"from":"gpt","value":"c"}]})");
}

TEST(Conversation, RowWithoutTheFieldsHasTheLanguagesOfItsId) {
  const TempFolder folder;
  const char* const turns = R"("conversations": [{"from": "human", "value": "q"},
                                                 {"from": "gpt", "value": "a"}])";
  const auto file =
      folder.write("train.json",
                   std::string("[{\"id\": \"identity_7_bmike53_czes_loc_without_edit\", ") + turns +
                       "}, {\"id\": \"identity_7_bmike53_czes_src\", \"edit_language\": \"de\", "
                       "\"test_language\": \"fr\", " +
                       turns + "}, {\"id\": \"a\", " + turns + "}]");

  const std::vector<Conversation> rows = read_conversations(file);

  EXPECT_EQ(rows.at(0).languages, (RowLanguages{"cz", "es"}));
  EXPECT_EQ(rows.at(1).languages, (RowLanguages{"de", "fr"}));
  EXPECT_EQ(rows.at(2).languages, RowLanguages{});
}

TEST(Conversation, IdsOfOtherFormsTellNoLanguage) {
  EXPECT_EQ(languages_in_id("identity_0_mzsre_train_enes_src"), (RowLanguages{"en", "es"}));
  for (const char* id : {"", "a", "_", "enes", "identity_0_enes", "identity_0_enxx_src"})
    EXPECT_EQ(languages_in_id(id), RowLanguages{}) << id;
}

TEST(Conversation, LanguageFieldsOfAnotherKindAreDataErrors) {
  EXPECT_THAT(read_error(R"([{"edit_language": "xx", "test_language": "en"}])"),
              HasSubstr("row 0.edit_language: expected a language code, found \"xx\""));
  EXPECT_THAT(read_error(R"([{"edit_language": "en"}])"),
              HasSubstr("row 0.test_language: expected a non-empty string, found nothing"));
}

TEST(Conversation, MalformedRowsAreDataErrorsThatNameThePlace) {
  const std::string good =
      R"({"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]})";
  EXPECT_THAT(read_error("{}"),
              HasSubstr("train.json: expected a non-empty array of conversations"));
  EXPECT_THAT(read_error("[]"), HasSubstr("found an empty one"));
  EXPECT_THAT(read_error("[" + good + ", 5]"), HasSubstr("row 1: expected an object"));
  EXPECT_THAT(read_error(R"([{"id": "x"}])"),
              HasSubstr("row 0: conversations: expected a non-empty array, found nothing"));
  EXPECT_THAT(read_error(R"([{"id": [], "conversations": []}])"),
              HasSubstr("row 0: id: expected a string"));
  EXPECT_THAT(read_error(R"([{"conversations": ["x"]}])"),
              HasSubstr("row 0: conversations.0: expected an object"));
  EXPECT_THAT(
      read_error(
          R"([{"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": null}]}])"),
      HasSubstr("row 0: conversations.1.value: expected a non-empty string, found null"));
  EXPECT_THAT(read_error(R"([{"conversations": [{"value": "q"}]}])"),
              HasSubstr("row 0: conversations.0.from: expected a non-empty string, found nothing"));
}

TEST(Conversation, SpeakersMustTakeTurns) {
  EXPECT_THAT(read_error(R"([{"conversations": [{"from": "gpt", "value": "a"}]}])"),
              HasSubstr("row 0: conversations.0.from: expected \"human\" to speak (\"human\" and "
                        "\"gpt\" take turns, \"system\" may be the first), found \"gpt\""));
  EXPECT_THAT(
      read_error(
          R"([{"conversations": [{"from": "human", "value": "a"}, {"from": "human", "value": "b"}]}])"),
      HasSubstr("row 0: conversations.1.from: expected \"gpt\" to speak"));
  EXPECT_THAT(
      read_error(R"([{"conversations": [{"from": "human", "value": "a"}]}])"),
      HasSubstr("row 0: conversations: expected an answer as the last turn, found \"human\""));
}

TEST(Conversation, SystemTextStandsBesideTheTurnsOrIsTheFirst) {
  const TempFolder folder;
  const auto file = folder.write("train.json", R"([
    {"system": "Be brief.", "conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]},
    {"conversations": [{"from": "system", "value": "S"}, {"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]},
    {"system": "", "conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]}])");

  const std::vector<Conversation> rows = read_conversations(file);

  ASSERT_EQ(rows.at(0).turns.size(), 3U);
  EXPECT_EQ(rows[0].turns[0].role, Role::kSystem);
  EXPECT_EQ(rows[0].turns[0].content, "Be brief.");
  EXPECT_EQ(rows[1].turns[0].content, "S");
  EXPECT_EQ(rows[1].turns[1].role, Role::kUser);
  EXPECT_EQ(rows[2].turns.size(), 2U);
  write_conversations(folder.path() / "again.json", rows);
  EXPECT_EQ(read_conversations(folder.path() / "again.json").at(0).turns[0].role, Role::kSystem);
}

TEST(Conversation, ReadsMessagesAsOpenAiHasThem) {
  const TempFolder folder;
  const auto file = folder.write("train.json", R"([{"messages": [
    {"role": "system", "content": "S"}, {"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}])");

  const std::vector<Conversation> rows = read_conversations(file);

  ASSERT_EQ(rows.at(0).turns.size(), 3U);
  EXPECT_EQ(rows[0].turns[2].role, Role::kAssistant);
  EXPECT_EQ(rows[0].turns[2].content, "a");
}

TEST(Conversation, KeysThatAreNotKnownAreDataErrors) {
  const auto row = [](const std::string& more) {
    return R"([{"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}])" +
           more + "}]";
  };
  EXPECT_THAT(read_error(row(R"(, "tools": "[]")")),
              HasSubstr("train.json: row 0: expected the keys id, conversations, system, "
                        "edit_language, test_language, found \"tools\""));
  EXPECT_THAT(read_error(row(R"(, "weight": 0.5)")), HasSubstr("found \"weight\""));
  EXPECT_THAT(read_error(row(R"(, "system": 5)")), HasSubstr("row 0.system: expected a text"));
  EXPECT_THAT(
      read_error(
          R"([{"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a", "weight": 0}]}])"),
      HasSubstr("row 0: messages.1: expected the keys role, content, found \"weight\""));
  EXPECT_THAT(
      read_error(
          R"([{"messages": [{"role": "user", "content": "q"}, {"role": "tool", "content": "a"}]}])"),
      HasSubstr("row 0: messages.1.role: expected \"assistant\" to speak"));
  EXPECT_THAT(
      read_error(
          R"([{"conversations": [{"from": "user", "value": "q"}, {"from": "gpt", "value": "a"}]}])"),
      HasSubstr("conversations.0.from: expected \"human\" to speak"));
  EXPECT_THAT(
      read_error(
          R"([{"system": "S", "conversations": [{"from": "system", "value": "S"}, {"from": "human", "value": "q"},
                                                       {"from": "gpt", "value": "a"}]}])"),
      HasSubstr("row 0.system: expected one system text, found another in the first turn"));
}

TEST(Conversation, FolderThatIsNotThereIsAnIoError) {
  try {
    write_conversations("/nowhere/train.json", {});
    FAIL();
  } catch (const IoError& error) {
    EXPECT_THAT(error.what(), HasSubstr("/nowhere/train.json: cannot be opened"));
  }
}

}  // namespace
}  // namespace xkde
