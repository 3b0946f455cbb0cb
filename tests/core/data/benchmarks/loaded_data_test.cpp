#include "core/data/benchmarks/loaded_data.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/data/benchmarks/benchmarks.h"
#include "tests/core/data/benchmarks/edit_rows.h"
#include "tests/support/temp_folder.h"

namespace xkde {
namespace {

using test::bizsre_side;
using test::rows_text;

class LoadedDataTest : public testing::Test {
 protected:
  LoadedDataTest() {
    for (const char* code : {"es", "fr"})
      folder_.write(std::string("mzsre_test_duplicate_en") + code + ".json",
                    rows_text(bizsre_side, {"en", code}, 3));
  }
  EditDataset edits(const char* edit, const char* test, const Slice& slice = {}) {
    return data_.edits({.source = mzsre_,
                        .data = folder_.path(),
                        .edit_language = edit,
                        .test_language = test,
                        .slice = slice});
  }

  test::TempFolder folder_;
  const BenchmarkSource& mzsre_ = benchmark_of("mzsre");
  LoadedData data_;
};

TEST_F(LoadedDataTest, EachFileIsParsedOnce) {
  edits("en", "es");
  edits("es", "es", Slice::parse("1:"));
  EXPECT_EQ(data_.num_parsed(), 1);

  edits("es", "fr");
  data_.all_edits(mzsre_, folder_.path());
  data_.all_edits(mzsre_, folder_.path() / "." / "mzsre_test_duplicate_enfr.json");

  EXPECT_EQ(data_.num_parsed(), 2);
}

TEST_F(LoadedDataTest, BenchmarksWithOneLayoutShareAFile) {
  edits("en", "es");
  data_.all_edits(benchmark_of("bizsre"), folder_.path() / "mzsre_test_duplicate_enes.json");
  EXPECT_EQ(data_.num_parsed(), 1);
}

TEST_F(LoadedDataTest, WhatComesFromTheCacheIsWhatTheFileHolds) {
  const EditDataset first = edits("es", "fr");
  const EditDataset again = edits("es", "fr", Slice::parse("2:"));

  ASSERT_EQ(first.records.size(), 3U);
  ASSERT_EQ(again.records.size(), 1U);
  EXPECT_EQ(again.records[0].index, 2);
  EXPECT_EQ(again.records[0].sides.at("fr").src, "src fr2?");
  EXPECT_EQ(again.files, first.files);
  // A join leaves the parsed files as they are.
  EXPECT_EQ(edits("en", "es").records.at(0).sides.size(), 2U);
}

TEST_F(LoadedDataTest, AChangedFileIsParsedAgain) {
  edits("en", "es");
  folder_.write("mzsre_test_duplicate_enes.json", rows_text(bizsre_side, {"en", "es"}, 5));

  EXPECT_EQ(edits("en", "es").records.size(), 5U);
  EXPECT_EQ(data_.num_parsed(), 2);
}

TEST_F(LoadedDataTest, ATrainingFileIsParsedOnce) {
  const auto rows = [](const char* answer) {
    return concat(R"([{"id": "a", "conversations": [{"from": "human", "value": "who?"},)",
                  R"({"from": "gpt", "value": ")", answer, R"("}]}])");
  };
  const auto file = folder_.write("train.json", rows("nobody"));

  EXPECT_EQ(data_.conversations(file).at(0).turns.at(1).content, "nobody");
  EXPECT_EQ(&data_.conversations(folder_.path() / "." / "train.json"), &data_.conversations(file));
  EXPECT_EQ(data_.num_parsed(), 1);
  folder_.write("train.json", rows("somebody"));
  EXPECT_EQ(data_.conversations(file).at(0).turns.at(1).content, "somebody");
  EXPECT_EQ(data_.num_parsed(), 2);
  EXPECT_THROW(data_.conversations(folder_.path() / "none"), MissingInputError);
}

TEST_F(LoadedDataTest, AFileThatCannotBeReadIsNotKept) {
  const auto file = folder_.path() / "later.json";
  EXPECT_THROW(data_.file(mzsre_, file), MissingInputError);
  folder_.write("later.json", rows_text(bizsre_side, {"en"}, 1));

  EXPECT_EQ(data_.file(mzsre_, file).rows.size(), 1U);
}

}  // namespace
}  // namespace xkde
