#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/data/benchmarks/loaded_data.h"
#include "tests/core/data/benchmarks/edit_rows.h"
#include "tests/support/temp_folder.h"

namespace xkde {
namespace {

using test::bizsre_side;
using test::bmike_side;
using test::load_all_edits;
using test::load_edits;
using test::rows_text;
using test::TempFolder;
using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> names_of(const EditDataset& dataset) {
  std::vector<std::string> names;
  for (const auto& file : dataset.files) names.push_back(file.filename().string());
  return names;
}

template <typename ErrorType>
std::string load_error(const char* benchmark, const TempFolder& folder, const char* edit,
                       const char* test) {
  try {
    load_edits(benchmark, folder.path(), edit, test, {});
  } catch (const ErrorType& error) {
    return error.what();
  }
  return "nothing of that type was thrown";
}

class MzsreFolder : public testing::Test {
 protected:
  MzsreFolder() {
    for (const auto& [first, second] : {std::pair("en", "zh"), std::pair("en", "cz"),
                                        std::pair("en", "es"), std::pair("cz", "zh")}) {
      folder_.write(std::string("mzsre_test_duplicate_") + first + second + ".json",
                    rows_text(bizsre_side, {first, second}, 3));
    }
  }
  std::vector<std::string> files(const char* edit, const char* test) const {
    const EditDataset dataset = load_edits("mzsre", folder_.path(), edit, test, {});
    EXPECT_EQ(dataset.records.size(), 3U);
    EXPECT_TRUE(dataset.records[0].sides.contains(language_of(edit).iso));
    EXPECT_TRUE(dataset.records[0].sides.contains(language_of(test).iso));
    return names_of(dataset);
  }
  TempFolder folder_;
};

TEST_F(MzsreFolder, FilesAreChosenByTheBenchmarksRule) {
  EXPECT_THAT(files("en", "cs"), ElementsAre("mzsre_test_duplicate_encz.json"));
  EXPECT_THAT(files("cz", "zh"), ElementsAre("mzsre_test_duplicate_czzh.json"));
  EXPECT_THAT(files("es", "es"), ElementsAre("mzsre_test_duplicate_enes.json"));
  EXPECT_THAT(files("en", "en"), ElementsAre("mzsre_test_duplicate_enzh.json"));
}

TEST_F(MzsreFolder, EditsInAnotherLanguageAskedInEnglishReadTheEnglishPair) {
  EXPECT_THAT(files("zh", "en"), ElementsAre("mzsre_test_duplicate_enzh.json"));
}

TEST_F(MzsreFolder, PairWithoutAFileIsJoinedFromTheEnglishPairs) {
  EXPECT_THAT(files("es", "zh"),
              ElementsAre("mzsre_test_duplicate_enes.json", "mzsre_test_duplicate_enzh.json"));
}

TEST_F(MzsreFolder, JoinedFilesOfOtherFactsAreADataError) {
  folder_.write("mzsre_test_duplicate_enes.json",
                Json::array({{{"en", bizsre_side("en", 0)}, {"es", bizsre_side("es", 0)}},
                             {{"en", bizsre_side("en", 2)}, {"es", bizsre_side("es", 2)}},
                             {{"en", bizsre_side("en", 1)}, {"es", bizsre_side("es", 1)}}})
                    .dump());

  EXPECT_THAT(load_error<DataError>("mzsre", folder_, "es", "zh"),
              HasSubstr("enzh.json: row 1: expected the fact src en2?"));
}

TEST_F(MzsreFolder, PairThatNoFileGivesIsAMissingInputThatNamesTheFiles) {
  const std::string message = load_error<MissingInputError>("mzsre", folder_, "en", "tr");

  EXPECT_THAT(message, HasSubstr("no file for English -> Turkish"));
  EXPECT_THAT(message, HasSubstr("mzsre_test_duplicate_entr.json"));
}

TEST(EditFiles, AnyPairNamedFileServesAsMzsre) {
  const TempFolder folder;
  folder.write("other_endu.json", rows_text(bizsre_side, {"en", "du"}, 2));

  for (const char* code : {"du", "nl"}) {
    const EditDataset dataset = load_edits("mzsre", folder.path(), "en", code, {});
    EXPECT_THAT(names_of(dataset), ElementsAre("other_endu.json"));
    EXPECT_EQ(dataset.records.at(1).sides.at("nl").alt, "alt du1");
  }
  EXPECT_THAT(names_of(load_edits("mzsre", folder.path(), "en", "en", {})),
              ElementsAre("other_endu.json"));
}

TEST(EditFiles, TwoFilesForOnePairAreADataError) {
  const TempFolder folder;
  folder.write("a_enes.json", "[]");
  folder.write("b_enes.json", "[]");

  EXPECT_THAT(load_error<DataError>("mzsre", folder, "en", "es"),
              HasSubstr("expected one file *_enes.json, found a_enes.json and b_enes.json"));
}

TEST(EditFiles, BizsreFolderHoldsOneFile) {
  const TempFolder folder;
  EXPECT_THAT(load_error<MissingInputError>("bizsre", folder, "en", "zh"),
              HasSubstr("no file bizsre_test.json"));

  folder.write("bizsre_test.json", rows_text(bizsre_side, {"en", "zh"}, 2));
  EXPECT_EQ(load_edits("bizsre", folder.path(), "zh", "en", {}).records.size(), 2U);
}

class BmikeFolder : public testing::Test {
 protected:
  BmikeFolder() {
    for (const char* code : {"es", "fr"}) {
      folder_.write(std::string("zsre_test_") + code + ".json",
                    rows_text(bmike_side, {"en", code}, 3));
    }
  }
  TempFolder folder_;
};

TEST_F(BmikeFolder, EnglishEditsReadTheFileOfTheTestLanguage) {
  const EditDataset dataset = load_edits("bmike53", folder_.path(), "en", "fr", {});

  EXPECT_THAT(names_of(dataset), ElementsAre("zsre_test_fr.json"));
  EXPECT_EQ(dataset.records.size(), 3U);
}

TEST_F(BmikeFolder, TwoOtherLanguagesAreJoinedByRow) {
  const EditDataset dataset =
      load_edits("bmike53", folder_.path(), "es", "fr", Slice::parse("1:2"));

  EXPECT_THAT(names_of(dataset), ElementsAre("zsre_test_es.json", "zsre_test_fr.json"));
  ASSERT_EQ(dataset.records.size(), 1U);
  EXPECT_EQ(dataset.records[0].sides.at("es").src, "src es1?");
  EXPECT_EQ(dataset.records[0].sides.at("fr").src, "src fr1?");
}

TEST_F(BmikeFolder, OneOtherLanguageNeedsItsFileOnly) {
  for (const auto& [edit, test] : {std::pair("es", "es"), std::pair("es", "en")}) {
    EXPECT_THAT(names_of(load_edits("bmike53", folder_.path(), edit, test, {})),
                ElementsAre("zsre_test_es.json"));
  }
}

TEST_F(BmikeFolder, EnglishAloneReadsAnyFile) {
  const EditDataset dataset = load_edits("bmike53", folder_.path(), "en", "en", {});

  EXPECT_EQ(dataset.files.size(), 1U);
  EXPECT_EQ(dataset.records.size(), 3U);
}

TEST_F(BmikeFolder, JoinedRowsOfDifferentCasesAreADataError) {
  folder_.write("zsre_test_fr.json",
                Json::array({{{"en", bmike_side("en", 0)}, {"fr", bmike_side("fr", 0)}},
                             {{"en", bmike_side("en", 7)}, {"fr", bmike_side("fr", 7)}},
                             {{"en", bmike_side("en", 2)}, {"fr", bmike_side("fr", 2)}}})
                    .dump());

  EXPECT_THAT(load_error<DataError>("bmike53", folder_, "es", "fr"),
              HasSubstr("zsre_test_fr.json: row 1: expected the fact 1 as in"));
}

TEST_F(BmikeFolder, JoinedFilesOfDifferentLengthAreADataError) {
  folder_.write("zsre_test_fr.json", rows_text(bmike_side, {"en", "fr"}, 2));

  EXPECT_THAT(load_error<DataError>("bmike53", folder_, "es", "fr"),
              HasSubstr("zsre_test_fr.json: expected 3 rows as in"));
}

TEST(BmikeParts, FolderOfEachGivesItsTestFile) {
  for (const char* part : {"counterfact", "wfd"}) {
    const TempFolder folder;
    const std::string test = std::string(part) + "_test_ja.json";
    folder.write(test, rows_text(bmike_side, {"en", "ja"}, 2));
    folder.write(std::string(part) + "-train_ja.json", rows_text(bmike_side, {"en", "ja"}, 3));

    const EditDataset data = load_edits("bmike53", folder.path(), "en", "ja");

    EXPECT_THAT(names_of(data), ElementsAre(test));
  }
}

TEST(BmikeParts, TwoInOneFolderAreADataError) {
  const TempFolder folder;
  folder.write("counterfact_test_ja.json", rows_text(bmike_side, {"en", "ja"}, 2));
  folder.write("wfd_test_ja.json", rows_text(bmike_side, {"en", "ja"}, 2));

  EXPECT_THAT(load_error<DataError>("bmike53", folder, "en", "ja"),
              HasSubstr("expected one file *_ja.json, found counterfact_test_ja.json and "
                        "wfd_test_ja.json"));
}

TEST(BmikeParts, ChineseOfATrainFileIsChinese) {
  const TempFolder folder;
  const auto file = folder.write("wfd-train_zh-cn.json", rows_text(bmike_side, {"en", "zh-cn"}, 2));

  EXPECT_EQ(load_edits("bmike53", file, "en", "zh").records.at(0).sides.at("zh").src,
            "src zh-cn0?");
  EXPECT_THAT(names_of(load_edits("bmike53", folder.path(), "en", "zh-cn")),
              ElementsAre("wfd-train_zh-cn.json"));
}

TEST_F(BmikeFolder, LanguageWithoutAFileIsAMissingInput) {
  EXPECT_THAT(load_error<MissingInputError>("bmike53", folder_, "en", "du"),
              HasSubstr("looked for zsre_test_nl.json, zsre_test_du.json"));
}

TEST(AllEdits, HaveEveryLanguageOfEveryFileOfTheBenchmark) {
  const TempFolder folder;
  folder.write("mzsre_test_duplicate_enzh.json", rows_text(bizsre_side, {"en", "zh"}, 3));
  folder.write("mzsre_test_duplicate_czdu.json", rows_text(bizsre_side, {"cz", "du"}, 3));
  folder.write("zsre_test_es.json", rows_text(bmike_side, {"en", "es"}, 2));
  folder.write("notes_abcd.json", "{}");

  const EditDataset dataset = load_all_edits("mzsre", folder.path());

  EXPECT_THAT(names_of(dataset),
              ElementsAre("mzsre_test_duplicate_czdu.json", "mzsre_test_duplicate_enzh.json"));
  ASSERT_EQ(dataset.records.size(), 6U);
  EXPECT_TRUE(dataset.records[0].sides.contains("nl"));
  EXPECT_TRUE(dataset.records[5].sides.contains("zh"));
  EXPECT_EQ(load_all_edits("bmike53", folder.path()).records.size(), 2U);
  EXPECT_EQ(load_all_edits("mzsre", folder.path() / "zsre_test_es.json").records.size(), 2U);
}

TEST(AllEdits, FolderWithoutAFileIsAMissingInput) {
  const TempFolder folder;
  for (const char* benchmark : {"bizsre", "mzsre", "bmike53", "bizsre_train"}) {
    try {
      load_all_edits(benchmark, folder.path());
      FAIL();
    } catch (const MissingInputError& error) {
      EXPECT_THAT(error.what(), HasSubstr("no file of the benchmark"));
    }
  }
}

}  // namespace
}  // namespace xkde
