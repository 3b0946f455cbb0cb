#include "stages/evaluate/keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/temp_folder.h"

namespace xkde::recipe {
namespace {

TEST(EvaluateStage, FilesAreThoseOfEditsAndDemonstrationsEachOnce) {
  const test::TempFolder folder;
  const auto edits = folder.write("edits_enes.json", "[]");
  const auto more = folder.write("more_enes.json", "[]");
  EvaluateStage stage;
  stage.benchmark = "mzsre";
  stage.data = edits;
  stage.edit_languages = stage.test_languages = {"en", "es"};

  EXPECT_THAT(stage.files(), ::testing::ElementsAre(edits));

  stage.demonstrations = DemonstrationOptions{"mzsre", more, "", 2};
  EXPECT_THAT(stage.files(), ::testing::ElementsAre(edits, more));
}

TEST(EvaluateStage, GoesOnWhenVerdictsAreKeptElsewhere) {
  EXPECT_THAT(EvaluateStage().free_keys(), ::testing::ElementsAre("judge.cache"));
  EXPECT_THAT(EvaluateStage::with_sections().keys().contains("judge"), true);
}

}  // namespace
}  // namespace xkde::recipe
