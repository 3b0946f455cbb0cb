#include "stages/catalog/catalog.h"

#include <cstdlib>
#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/io/file.h"
#include "stages/pipeline/stage_parsers.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_folder.h"

namespace xkde::catalog {
namespace {

namespace fs = std::filesystem;
using test::message_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kRecipe =
    "# yaml-language-server: $schema=../docs/recipe.schema.json\n"
    "# Facts of ours.\n#   mpirun -n 8 xkde_dist r.yaml\n"
    "model: {model_name_or_path: models/tiny}\nstages:\n"
    "  - build_data: {sources: [{benchmark: bmike53, data: d, edit_languages: [en], "
    "test_languages: [de]}]}\n  - sft:\n"
    "  - evaluate: {benchmark: mzsre, data: d, edit_languages: [en], test_languages: [de]}\n"
    "  - evaluate: {benchmark: mzsre, data: d, edit_languages: [en], test_languages: [es]}\n";

/// A folder of two recipes, named by the variable.
class CatalogTest : public ::testing::Test {
 protected:
  CatalogTest() {
    fs::create_directories(folder_.path() / "recipes/paper");
    folder_.write("recipes/one.yaml", kRecipe);
    folder_.write("recipes/paper/two.yaml",
                  "model: {model_name_or_path: m}\nstages: [{sft: {train_data: t}}]\n");
    folder_.write("recipes/notes.txt", "no recipe");
    ::setenv("XKDE_RECIPES_DIR", recipes().c_str(), 1);
  }
  ~CatalogTest() override { ::unsetenv("XKDE_RECIPES_DIR"); }
  fs::path recipes() const { return folder_.path() / "recipes"; }

  test::TempFolder folder_;
};

TEST_F(CatalogTest, ListsRecipesOfAllFolders) {
  const std::vector<Entry> all = entries(recipes_folder(), recipe::kStageParsers);

  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].name, "one");
  EXPECT_EQ(all[0].title, "Facts of ours.");
  EXPECT_THAT(all[0].benchmarks, ElementsAre("bmike53", "mzsre"));
  EXPECT_EQ(all[0].model, "tiny");
  EXPECT_EQ(all[0].ranks, "8");
  EXPECT_THAT(all[0].stages, ElementsAre("build_data", "sft", "evaluate"));
  EXPECT_EQ(all[1].name, "paper/two");
  EXPECT_EQ(all[1].title, "");
  EXPECT_EQ(all[1].ranks, "");
}

TEST_F(CatalogTest, FindsARecipeByNameOrPath) {
  EXPECT_EQ(find_recipe("paper/two"), recipes() / "paper/two.yaml");
  EXPECT_EQ(find_recipe("one.yaml"), recipes() / "one.yaml");
  EXPECT_EQ(find_recipe(recipes() / "one.yaml"), recipes() / "one.yaml");
  EXPECT_THAT(message_of<MissingInputError>([] { find_recipe("paper/tow"); }),
              HasSubstr("found none named 'paper/tow'; did you mean 'paper/two'?"));
}

TEST_F(CatalogTest, CopiesWithTheSchemaWhereItIs) {
  const fs::path copied = copy_recipe(find_recipe("one"), folder_.path() / "mine.yaml");

  EXPECT_EQ(copied, folder_.path() / "mine.yaml");
  std::string expected = kRecipe;
  expected.replace(expected.find("../docs"), 7, (folder_.path() / "docs").string());
  EXPECT_EQ(text_of_file(copied), expected);
}

TEST_F(CatalogTest, CopiesIntoAFolderUnderItsName) {
  EXPECT_EQ(copy_recipe(find_recipe("paper/two"), folder_.path()), folder_.path() / "two.yaml");
}

TEST_F(CatalogTest, NeverReplacesAnything) {
  const fs::path mine = folder_.write("mine.yaml", "mine");
  fs::create_symlink("nowhere", folder_.path() / "link.yaml");

  for (const fs::path& there : {mine, folder_.path() / "link.yaml"}) {
    EXPECT_THAT(message_of<IoError>([&] { copy_recipe(find_recipe("one"), there); }),
                HasSubstr("expected nothing there, found a "));
  }
  EXPECT_EQ(text_of_file(mine), "mine");
  EXPECT_THAT(message_of<IoError>(
                  [&] { copy_recipe(find_recipe("one"), folder_.path() / "no/where.yaml"); }),
              HasSubstr("cannot create"));
}

TEST_F(CatalogTest, TheLineForEditorsIsTheRecipesOwnElseThatOfTheProgram) {
  const std::string mark = "# yaml-language-server: $schema=";
  const std::string schema = "docs/recipe.schema.json\n";

  EXPECT_EQ(schema_line(kRecipe, recipes() / "one.yaml"),
            mark + (folder_.path() / schema).string());
  EXPECT_EQ(schema_line("stages: []\n", recipes() / "one.yaml"),
            mark + (fs::path(XKDE_SOURCE_DIR) / schema).string());
}

TEST_F(CatalogTest, TheVariableMustNameAFolder) {
  ::setenv("XKDE_RECIPES_DIR", "/nowhere/at/all", 1);

  EXPECT_THAT(message_of<MissingInputError>([] { recipes_folder(); }),
              HasSubstr("XKDE_RECIPES_DIR: expected a folder, found none at /nowhere/at/all"));
}

TEST(Catalog, WithoutTheVariableItIsTheFolderAboveTheProgram) {
  EXPECT_EQ(recipes_folder(), fs::path(XKDE_SOURCE_DIR) / "recipes");
}

}  // namespace
}  // namespace xkde::catalog
