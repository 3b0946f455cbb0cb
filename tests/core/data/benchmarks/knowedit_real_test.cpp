#include <map>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/data/benchmarks/knowedit.h"
#include "tests/support/shared_folder.h"

namespace xkde {
namespace {

using Counts = std::map<std::string, int64_t>;

struct RealFile {
  KnowEditSet set;
  KnowEditSplit split;
  const char* path;
  int64_t rows;
  Counts skipped;
};

/// Rows and odd rows as the data's own manifest states them. Probes with empty answers only, which
/// it does not count apart, were counted by hand.
const RealFile kFiles[] = {
    {KnowEditSet::kZsre, KnowEditSplit::kTest, "ZsRE/ZsRE-test-all.json", 800, {}},
    {KnowEditSet::kWikibio, KnowEditSplit::kTest, "WikiBio/wikibio-test-all.json", 225, {}},
    {KnowEditSet::kWikibio, KnowEditSplit::kTrain, "WikiBio/wikibio-train-all.json", 345, {}},
    {KnowEditSet::kCounterfact,
     KnowEditSplit::kTest,
     "wiki_counterfact/eval_from_train_cf.json",
     500,
     {{"portability: empty", 2},
      {"locality.Forgetfulness: empty answer", 1},
      {"locality.Forgetfulness: no answer", 1}}},
    {KnowEditSet::kRecent,
     KnowEditSplit::kTest,
     "wiki_recent/eval_from_recent_train.json",
     200,
     {{"portability: empty", 163},
      {"locality: empty", 51},
      {"portability.Logical_Generalization: empty", 15},
      {"locality.Forgetfulness: empty answer", 5},
      {"locality.Relation_Specificity: empty answer", 2}}},
    {KnowEditSet::kCounterfact,
     KnowEditSplit::kTrain,
     "train/train_cf.json",
     728,
     {{"portability: empty", 5}, {"ground_truth: empty answer", 1}}},
    {KnowEditSet::kRecent,
     KnowEditSplit::kTrain,
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
    const KnowEditDataset data = read_knowedit(file.set, folder() / file.path);

    EXPECT_EQ(data.used.at("rows"), file.rows) << file.path;
    EXPECT_EQ(data.records.size(), static_cast<size_t>(file.rows)) << file.path;
    EXPECT_EQ(data.skipped, file.skipped) << file.path;
  }
}

TEST_F(RealKnowEdit, FolderLeadsToEveryFile) {
  for (const RealFile& file : kFiles)
    EXPECT_EQ(find_knowedit_file(file.set, folder(), file.split), folder() / file.path);
}

TEST_F(RealKnowEdit, EveryZsreRowHasARephraseAnOldAnswerAndOnePortabilityProbe) {
  const KnowEditDataset data =
      read_knowedit(KnowEditSet::kZsre, folder() / "ZsRE/ZsRE-test-all.json");

  int64_t several = 0;
  for (const KnowEditRecord& record : data.records) {
    EXPECT_FALSE(record.rephrase.empty());
    EXPECT_FALSE(record.old_answers.empty());
    several += record.old_answers.size() > 1 ? 1 : 0;
    EXPECT_EQ(record.portability.size(), 1U);
    EXPECT_EQ(record.locality.size(), 2U);
  }
  EXPECT_EQ(several, 12);
}

}  // namespace
}  // namespace xkde
