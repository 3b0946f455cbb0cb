#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "tests/core/data/benchmarks/edit_rows.h"
#include "tests/support/temp_folder.h"

namespace xkde {
namespace {

using test::load_edits;

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

/// A row of the original Bi-ZsRE's train files.
std::string train_row(const std::string& tag, const std::string& alt, const std::string& answers) {
  return R"({"subject": "S)" + tag + R"(", "src": "who )" + tag + R"(?", "rephrase": "again )" +
         tag + R"(?", "alt": ")" + alt + R"(", "answers": )" + answers +
         R"(, "loc": "nq question: far", "loc_ans": "four", "pred": "x"})";
}

class TrainFiles : public testing::Test {
 protected:
  TrainFiles() {
    write("zsre_mend_train_10000.json",
          {train_row("a", "me", R"(["you", "thou"])"), train_row("b", "", R"(["you"])"),
           train_row("c", "me", "[]")});
    write("zsre_mend_train_10000_chinese.json",
          {train_row("甲", "我", R"(["你"])"), train_row("乙", "我", R"(["你"])"),
           train_row("丙", "我", R"([""])")});
  }
  void write(const std::string& name, const std::vector<std::string>& rows) const {
    std::string text;
    for (const std::string& row : rows) text += (text.empty() ? "[" : ",\n") + row;
    folder_.write(name, text + "]");
  }
  EditDataset load(const char* edit, const char* test) const {
    return load_edits("bizsre_train", folder_.path(), edit, test, {});
  }
  std::string error(const char* edit, const char* test) const {
    try {
      load(edit, test);
    } catch (const Error& error) {
      return concat(error.kind(), ": ", error.what());
    }
    return "";
  }

  test::TempFolder folder_;
};

TEST_F(TrainFiles, AreJoinedByRowWithTheirOldAnswers) {
  const EditDataset data = load("en", "zh");

  EXPECT_EQ(data.files.size(), 2U);
  ASSERT_EQ(data.records.size(), 2U);
  EXPECT_EQ(data.records[0].sides.at("en").src, "who a?");
  EXPECT_THAT(data.records[0].sides.at("en").old_answers, ElementsAre("you"));
  EXPECT_EQ(data.records[0].sides.at("zh").src, "who 甲?");
  EXPECT_THAT(data.records[0].sides.at("zh").old_answers, ElementsAre("你"));
  EXPECT_EQ(data.records[0].sides.at("en").first_probe(false), nullptr);
  EXPECT_EQ(data.records[1].index, 2);
}

TEST_F(TrainFiles, EmptyOrMissingAnswersAreUnknown) {
  const EditDataset data = load("zh", "en");

  EXPECT_TRUE(data.records.at(1).sides.at("en").old_answers.empty());
  EXPECT_TRUE(data.records[1].sides.at("zh").old_answers.empty());
}

TEST_F(TrainFiles, RowsWithoutANewAnswerAreLeftOutAndCounted) {
  EXPECT_THAT(load("en", "en").skipped, ElementsAre(Pair("alt: empty", 1)));
  EXPECT_EQ(load("zh", "zh").records.size(), 3U);
}

TEST_F(TrainFiles, OneFileGivesTheLanguageOfItsName) {
  const auto chinese = folder_.path() / "zsre_mend_train_10000_chinese.json";

  EXPECT_EQ(load_edits("bizsre_train", chinese, "zh", "zh", {}).records.size(), 3U);
}

TEST_F(TrainFiles, MistakesNameFileRowAndKey) {
  EXPECT_THAT(error("en", "fr"),
              HasSubstr("ConfigError: bizsre_train: expected English or Chinese, "
                        "found French"));
  write("zsre_mend_train_10000.json", {R"({"subject": "s", "src": null, "alt": "x"})"});
  EXPECT_THAT(error("en", "en"), HasSubstr("zsre_mend_train_10000.json: row 0: src: expected a "
                                           "non-empty string, found null"));
  write("zsre_mend_train_10000.json", {train_row("a", "me", "\"you\"")});
  EXPECT_THAT(error("en", "en"),
              HasSubstr("row 0: answers: expected a list of texts, found a text"));
  write("zsre_mend_train_10000.json", {train_row("a", "me", "[7]")});
  EXPECT_THAT(error("en", "en"),
              HasSubstr("row 0: answers.0: expected a string, found a value of type number"));
  write("zsre_mend_train_10000.json", {"3"});
  EXPECT_THAT(error("en", "en"), HasSubstr("row 0: expected an object"));
  write("zsre_mend_train_10000.json", {train_row("a", "me", "[]")});
  EXPECT_THAT(error("en", "zh"), HasSubstr("expected 1 rows as in"));
  std::filesystem::remove(folder_.path() / "zsre_mend_train_10000.json");
  EXPECT_THAT(error("en", "zh"), HasSubstr("MissingInputError"));
}

class TextFiles : public testing::Test {
 protected:
  std::string error(const char* edit, const char* test) const {
    try {
      load_edits("mzsre_train", folder_.path(), edit, test, {});
    } catch (const Error& error) {
      return concat(error.kind(), ": ", error.what());
    }
    return "";
  }
  test::TempFolder folder_;
};

TEST_F(TextFiles, AreJoinedByLineWithoutLinesThatLackATab) {
  folder_.write("zsre_mend_train_en_10000.txt", "who a?\tme\nwho b?\tyou\nwho c?\tx\tus\n");
  folder_.write("zsre_mend_train_cz_10000.txt", "kdo a?\tja\r\nkdo b?\nkdo c?\tmy\n");

  const EditDataset data = load_edits("mzsre_train", folder_.path(), "en", "cs", {});

  ASSERT_EQ(data.records.size(), 2U);
  EXPECT_EQ(data.records[0].sides.at("cs").alt, "ja");
  EXPECT_EQ(data.records[1].index, 2);
  EXPECT_EQ(data.records[1].sides.at("en").alt, "us");
  EXPECT_TRUE(data.records[1].sides.at("en").rephrases.empty());
  EXPECT_EQ(data.records[1].sides.at("en").first_probe(true), nullptr);
  EXPECT_THAT(data.skipped, ElementsAre(Pair("no tab", 1)));
}

TEST_F(TextFiles, MissingLanguageAndUnequalLengthsAreNamed) {
  folder_.write("zsre_mend_train_en_10000.txt", "who a?\tme\n");
  EXPECT_THAT(error("en", "nl"), HasSubstr("MissingInputError: "));
  EXPECT_THAT(error("en", "nl"), HasSubstr("no file zsre_mend_train_du_10000.txt"));
  folder_.write("zsre_mend_train_du_10000.txt", "wie a?\tik\nwie b?\tjij\n");
  EXPECT_THAT(error("en", "nl"), HasSubstr("expected 1 rows as in "));
}

}  // namespace
}  // namespace xkde
