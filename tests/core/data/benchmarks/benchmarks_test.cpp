#include "core/data/benchmarks/benchmarks.h"

#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "tests/core/data/benchmarks/edit_rows.h"
#include "tests/support/temp_folder.h"

namespace xkde {
namespace {

using test::bizsre_side;
using test::bmike_side;
using test::rows_text;
using testing::ElementsAre;
using testing::HasSubstr;

/// One source as a recipe knows it: its names, and one row of a file that it finds in a folder.
struct Known {
  const char* name;
  std::vector<std::string_view> languages;
  const char* file;
  std::string text;
  Split split;
  const char* src;
};

const std::string& knowedit_text() {
  static const std::string kText = R"([{"subject": "s", "prompt": "p?", "target_new": "t"}])";
  return kText;
}

const Known kKnown[] = {
    {"bizsre", {}, "bizsre_test.json", rows_text(bizsre_side, {"en"}, 1), Split::kTest, "src en0?"},
    {"mzsre",
     {},
     "mzsre_test_duplicate_enzh.json",
     rows_text(bizsre_side, {"en"}, 1),
     Split::kTest,
     "src en0?"},
    {"bmike53",
     {},
     "zsre_test_es.json",
     rows_text(bmike_side, {"en"}, 1),
     Split::kTest,
     "src en0?"},
    {"bizsre_train",
     {"en", "zh"},
     "zsre_mend_train_10000.json",
     Json::array({bizsre_side("en", 0)}).dump(),
     Split::kTrain,
     "src en0?"},
    {"mzsre_train", {}, "zsre_mend_train_en_10000.txt", "who?\tme\n", Split::kTrain, "who?"},
    {"zsre", {"en"}, "ZsRE-test-all.json", knowedit_text(), Split::kTest, "p?"},
    {"wikibio",
     {"en"},
     "wikibio-train-all.json",
     R"([{"concept": "s", "text": "p?", "labels": "t"}])",
     Split::kTrain,
     "p?"},
    {"recent", {"en"}, "recent_test.json", knowedit_text(), Split::kTest, "p?"},
    {"counterfact", {"en"}, "train_cf.json", knowedit_text(), Split::kTrain, "p?"},
    {"facts",
     {},
     "facts.jsonl",
     R"({"question": {"en": "p?"}, "answer": {"en": "t"}})",
     Split::kTest,
     "p?"},
};

TEST(Benchmarks, EachFindsItsFileAndReadsARow) {
  ASSERT_EQ(std::size(kKnown), benchmarks().size());
  const Language& english = language_of("en");
  for (const Known& known : kKnown) {
    const test::TempFolder folder;
    const auto file = folder.write(known.file, known.text);
    const BenchmarkSource& source = benchmark_of(known.name);

    EXPECT_EQ(source.name, known.name);
    EXPECT_THAT(source.languages, testing::ElementsAreArray(known.languages));
    EXPECT_THAT(source.files(folder.path(), english, english, known.split), ElementsAre(file));
    EXPECT_THAT(source.files(file, english, english, known.split), ElementsAre(file));
    const EditFile read = source.read(file);
    ASSERT_EQ(read.rows.size(), 1U) << known.name;
    EXPECT_EQ(read.row_ids.size(), 1U) << known.name;
    EXPECT_EQ(read.rows[0].sides.at("en").src, known.src);
  }
}

TEST(Benchmarks, NamesAreTheRecipes) {
  EXPECT_THAT(benchmark_names(),
              ElementsAre("bizsre", "mzsre", "bmike53", "bizsre_train", "mzsre_train", "zsre",
                          "wikibio", "recent", "counterfact", "facts"));
  EXPECT_THAT(benchmark_names(&BenchmarkSource::is_evaluated),
              ElementsAre("bizsre", "mzsre", "bmike53", "zsre", "wikibio", "recent", "counterfact",
                          "facts"));
  EXPECT_THAT(benchmark_names(&BenchmarkSource::gives_demonstrations),
              ElementsAre("bizsre", "mzsre", "bmike53", "bizsre_train", "mzsre_train", "facts"));
  EXPECT_THAT(benchmark_names(&BenchmarkSource::lists_questions),
              ElementsAre("bizsre", "mzsre", "bmike53", "bizsre_train", "mzsre_train", "facts"));
  EXPECT_THAT(benchmark_names(&BenchmarkSource::has_averaging),
              ElementsAre("zsre", "wikibio", "recent", "counterfact"));
}

TEST(Benchmarks, UnknownNameIsAConfigErrorThatListsTheOthers) {
  EXPECT_EQ(find_benchmark("zsre2"), nullptr);
  try {
    benchmark_of("zsre2");
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), HasSubstr("benchmark: expected one of bizsre, mzsre, bmike53, "
                                        "bizsre_train, mzsre_train, zsre, wikibio, recent, "
                                        "counterfact, facts, found \"zsre2\""));
  }
}

}  // namespace
}  // namespace xkde
