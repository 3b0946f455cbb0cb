#include "stages/run/artifacts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"

namespace xkde::recipe {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(Artifacts, TheLastFileOfAKindIsTheOneToRead) {
  Artifacts artifacts;
  artifacts.add(ArtifactKind::kTrainData, 0, "01/train.json");
  artifacts.add(ArtifactKind::kSamples, 1, "02/samples.jsonl");
  artifacts.add(ArtifactKind::kTrainData, 2, "03/train.json");

  EXPECT_EQ(artifacts.file(ArtifactKind::kTrainData), "03/train.json");
  EXPECT_EQ(artifacts.file(ArtifactKind::kSamples), "02/samples.jsonl");
}

TEST(Artifacts, AFileThatNobodyLeftIsAnError) {
  Artifacts artifacts;
  artifacts.add(ArtifactKind::kSamples, 0, "samples.jsonl");

  EXPECT_THROW(artifacts.file(ArtifactKind::kPairs), InternalError);
  EXPECT_THAT(artifacts.files(ArtifactKind::kPairs), IsEmpty());
}

TEST(Artifacts, FilesOfAKindComeInTheOrderOfTheStages) {
  Artifacts artifacts;
  artifacts.add(ArtifactKind::kResults, 0, "a");
  artifacts.add(ArtifactKind::kTrainData, 1, "b");
  artifacts.add(ArtifactKind::kResults, 3, "c");

  EXPECT_THAT(artifacts.files(ArtifactKind::kResults), ElementsAre("a", "c"));
}

TEST(Artifacts, KnowWhatAStageLeft) {
  Artifacts artifacts;
  artifacts.add(ArtifactKind::kTrainData, 1, "train.json");

  EXPECT_EQ(artifacts.left_by(1), "train.json");
  EXPECT_FALSE(artifacts.left_by(0).has_value());
}

TEST(Artifacts, WeightsAreThoseOfTheModelUntilAStageChangesThem) {
  Artifacts artifacts;
  EXPECT_FALSE(artifacts.weights_changed());

  artifacts.set_weights_changed();

  EXPECT_TRUE(artifacts.weights_changed());
}

}  // namespace
}  // namespace xkde::recipe
