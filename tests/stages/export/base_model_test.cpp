#include "stages/export/base_model.h"

#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/byte_file.h"
#include "tests/support/temp_folder.h"

namespace xkde::recipe {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

TEST(BaseModelOf, ReadsTheHeadOfTheModelsOwnCard) {
  const test::TempFolder folder;
  folder.write("README.md",
               "---\nlanguage: [en]\nlicense: other\r\nlicense_name: 'our-terms'\n"
               "license_link: LICENSE\n---\nlicense: mit\n");
  folder.write("config.json", R"({"_name_or_path": "owner/A.model-7b"})");

  const BaseModel base = base_model_of(folder.path() / "");

  EXPECT_EQ(base.name, folder.path().filename().string());
  EXPECT_EQ(base.id, "owner/A.model-7b");
  EXPECT_THAT(base.licence, ElementsAre(Pair("license", "other"), Pair("license_name", "our-terms"),
                                        Pair("license_link", "LICENSE")));
}

TEST(BaseModelOf, GuessesNothing) {
  const test::TempFolder folder;
  EXPECT_THAT(base_model_of(folder.path()).licence, IsEmpty());
  for (const char* path : {"/data/model", "./model", "../a/b", "a/b/c", "model", "", "~/x"}) {
    folder.write("config.json", std::string(R"({"_name_or_path": ")") + path + "\"}");
    EXPECT_EQ(base_model_of(folder.path()).id, "") << path;
  }
  folder.write("README.md", "# A model\n---\nlicense: mit\n---\n");
  EXPECT_THAT(base_model_of(folder.path()).licence, IsEmpty());
  folder.write("README.md", "---\nlicense:\n- mit\n- other\nlicense_name: [a]\n---\n");
  EXPECT_THAT(base_model_of(folder.path()).licence, IsEmpty());
}

TEST(BaseModelOf, KnowsFoldersOfTheHubsCache) {
  const test::TempFolder folder;
  const fs::path cached = folder.path() / "models--owner--some-model" / "snapshots" / "0123";
  fs::create_directories(cached);
  EXPECT_EQ(base_model_of(cached).id, "owner/some-model");
}

TEST(BaseModelOf, ReadsTheMetadataOfAGgufFile) {
  constexpr uint32_t kString = 8;
  ByteFile file;
  file.raw("GGUF").number<uint32_t>(3).number<uint64_t>(0).number<uint64_t>(2);
  file.string("general.license").number(kString).string("apache-2.0");
  file.string("general.source.repo_url").number(kString).string("https://huggingface.co/o/n");
  const test::TempFolder folder;
  const BaseModel base = base_model_of(folder.write("small.gguf", file.pad_to(32).bytes()));

  EXPECT_EQ(base.name, "small.gguf");
  EXPECT_EQ(base.id, "o/n");
  EXPECT_THAT(base.licence, ElementsAre(Pair("license", "apache-2.0")));
}

}  // namespace
}  // namespace xkde::recipe
