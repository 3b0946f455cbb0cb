#include <map>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/data/benchmarks/benchmarks.h"
#include "tests/support/shared_folder.h"

namespace xkde {
namespace {

using Counts = std::map<std::string, int64_t>;

struct RealFile {
  const char* set;
  Split split;
  const char* path;
  int64_t rows;
  Counts skipped;
};

/// Rows and odd rows as the data's own manifest states them. Probes with empty answers only, which
/// it does not count apart, were counted by hand.
const RealFile kFiles[] = {
    {"zsre", Split::kTest, "ZsRE/ZsRE-test-all.json", 800, {}},
    {"wikibio", Split::kTest, "WikiBio/wikibio-test-all.json", 225, {}},
    {"wikibio", Split::kTrain, "WikiBio/wikibio-train-all.json", 345, {}},
    {"counterfact",
     Split::kTest,
     "wiki_counterfact/eval_from_train_cf.json",
     500,
     {{"portability: empty", 2},
      {"locality.Forgetfulness: empty answer", 1},
      {"locality.Forgetfulness: no answer", 1}}},
    {"recent",
     Split::kTest,
     "wiki_recent/eval_from_recent_train.json",
     200,
     {{"portability: empty", 163},
      {"locality: empty", 51},
      {"portability.Logical_Generalization: empty", 15},
      {"locality.Forgetfulness: empty answer", 5},
      {"locality.Relation_Specificity: empty answer", 2}}},
    {"counterfact",
     Split::kTrain,
     "train/train_cf.json",
     728,
     {{"portability: empty", 5}, {"ground_truth: empty answer", 1}}},
    {"recent",
     Split::kTrain,
     "train/recent_train.json",
     170,
     {{"portability: empty", 142},
      {"locality: empty", 48},
      {"portability.Logical_Generalization: empty", 8},
      {"locality.Relation_Specificity: empty answer", 5},
      {"locality.Relation_Specificity: no answer", 2}}},
};

class RealKnowEdit : public testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(folder()))
      GTEST_SKIP() << "no KnowEdit rows in " << test::shared_folder() << " (XKDE_SHARED_DIR)";
  }
  static std::filesystem::path folder() { return test::shared_folder() / "data/knowedit"; }
};

TEST_F(RealKnowEdit, EveryFileHasTheRowsAndOddRowsOfItsManifest) {
  for (const RealFile& file : kFiles) {
    const EditFile data = benchmark_of(file.set).read(folder() / file.path);

    EXPECT_EQ(data.rows.size(), static_cast<size_t>(file.rows)) << file.path;
    EXPECT_EQ(data.skipped, file.skipped) << file.path;
  }
}

TEST_F(RealKnowEdit, FolderLeadsToEveryFile) {
  const Language& english = language_of("en");
  for (const RealFile& file : kFiles) {
    EXPECT_THAT(benchmark_of(file.set).files(folder(), english, english, file.split),
                testing::ElementsAre(folder() / file.path));
  }
}

TEST_F(RealKnowEdit, EveryZsreRowHasARephraseAnOldAnswerAndOnePortabilityProbe) {
  const EditFile data = benchmark_of("zsre").read(folder() / "ZsRE/ZsRE-test-all.json");

  int64_t several = 0;
  for (const EditRecord& record : data.rows) {
    const EditSide& side = record.sides.at("en");
    EXPECT_FALSE(side.rephrases.empty());
    EXPECT_FALSE(side.old_answers.empty());
    several += side.old_answers.size() > 1 ? 1 : 0;
    ASSERT_EQ(side.probes.size(), 3U);
    EXPECT_TRUE(is_locality(side.probes[1].kind));
    EXPECT_FALSE(is_locality(side.probes[2].kind));
  }
  EXPECT_EQ(several, 12);
}

}  // namespace
}  // namespace xkde
