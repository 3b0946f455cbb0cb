#include "stages/export/keys.h"

#include <optional>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/stages/recipe/recipe_text.h"

namespace xkde::recipe {
namespace {

using ::testing::HasSubstr;

std::string export_stage(const std::string& keys) {
  return "model: {model_name_or_path: m}\nstages:\n  - export: {path: out" + keys + "}\n";
}

TEST(SizeInBytes, IsOfThousandsAsTransformersTakesItOr1024s) {
  EXPECT_EQ(size_in_bytes("5GB"), 5'000'000'000);
  EXPECT_EQ(size_in_bytes("200mb"), 200'000'000);
  EXPECT_EQ(size_in_bytes("3KiB"), 3 * 1024);
  EXPECT_EQ(size_in_bytes("2TB"), 2'000'000'000'000);
  EXPECT_EQ(size_in_bytes("12345"), 12345);
}

TEST(SizeInBytes, IsNothingWhereItIsNoSize) {
  for (const char* text : {"", "GB", "0", "0GB", "-5GB", "5 GB", "5G", "5.5GB", "5GBs", "1e9",
                           "9223372036854775807KB", "99999999999999999999"})
    EXPECT_EQ(size_in_bytes(text), std::nullopt) << text;
}

TEST(ExportStage, ReadsItsOwnShardSizeAgain) {
  for (const std::string size : {"5GB", "200MB", "4096"}) {
    const Recipe recipe =
        parse_recipe(export_stage(", max_shard_size: " + size), "r.yaml", kStageParsers);
    EXPECT_EQ(as<ExportStage>(*recipe.stages.front()).max_shard_size, size);
    const Json all = resolved(recipe);
    EXPECT_EQ(resolved(parse_recipe(all.dump(), "again.yaml", kStageParsers)), all);
  }
  const Recipe recipe = parse_recipe(export_stage(""), "r.yaml", kStageParsers);
  EXPECT_EQ(recipe.stages.front()->keys()["max_shard_size"], "5GB");
}

TEST(ExportStage, RefusesAShardSizeThatIsNone) {
  EXPECT_THAT(error_of(export_stage(", max_shard_size: 5 gigabytes")),
              HasSubstr("export.max_shard_size: expected a size such as 5GB, 200MB or 1GiB, or a "
                        "positive number of bytes, found 5 gigabytes"));
  EXPECT_THAT(
      error_of(export_stage(", format: gguf, max_shard_size: 5GB")),
      HasSubstr("export.max_shard_size: expected format: huggingface beside this key, found "
                "gguf"));
}

}  // namespace
}  // namespace xkde::recipe
