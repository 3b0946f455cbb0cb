#include "stages/pipeline/covered_keys.h"

#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/io/file.h"
#include "core/io/sha256.h"
#include "stages/pipeline/stage_parsers.h"
#include "tests/stages/pipeline/all_stages.h"
#include "tests/support/temp_folder.h"

namespace xkde::recipe {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

constexpr size_t kBuildData = 1, kSft = 2, kOrpo = 5, kEvaluate = 6, kEdit = 9, kQuantize = 10,
                 kExport = 11;

/// A folder with a model and the data of the recipe.
class CoveredKeys : public ::testing::Test {
 protected:
  CoveredKeys() {
    for (const char* folder : {"m", "d", "copy"}) fs::create_directories(root_.path() / folder);
    for (const char* file : {"m/config.json", "m/model.safetensors"}) root_.write(file, file);
    for (const char* folder : {"d", "copy"})
      root_.write(std::string(folder) + "/mzsre_test_duplicate_enes.json", "rows");
  }
  std::string at(const std::string& name) const { return (root_.path() / name).string(); }

  Recipe recipe(const std::vector<std::string>& overrides = {}) const {
    std::vector<std::string> all{"model.model_name_or_path=" + at("m"),
                                 "stages.0.data=" + at("d"),
                                 "build_data.sources.0.data=" + at("d"),
                                 "stages.6.data=" + at("d"),
                                 "output_dir=" + at("run"),
                                 "export.path=" + at("run/hf")};
    all.insert(all.end(), overrides.begin(), overrides.end());
    return parse_recipe(test::all_stages_evaluated_before(), "r.yaml", kStageParsers, all);
  }
  Json covers(size_t stage, const std::vector<std::string>& overrides = {}) const {
    const Recipe read = recipe(overrides);
    const std::vector<fs::path> model{read.model.model_name_or_path / "config.json",
                                      read.model.model_name_or_path / "model.safetensors"};
    return covered_keys(read, stage, model,
                        [](const fs::path& file) { return sha256_hex(text_of_file(file)); });
  }
  /// What changes in a stage with these overrides.
  std::vector<std::string> changes(size_t stage, const std::vector<std::string>& overrides) const {
    std::vector<std::string> texts;
    for (const KeyChange& change :
         changed_keys(covers(stage), covers(stage, overrides), *recipe().stages[stage]))
      texts.push_back(text_of(change));
    return texts;
  }

  test::TempFolder root_;
};

TEST_F(CoveredKeys, AreThoseThatChangeResults) {
  EXPECT_THAT(changes(kSft, {"sft.learning_rate=2e-5"}),
              ElementsAre("sft.learning_rate 1e-05 : 2e-05"));
  EXPECT_THAT(changes(kSft, {"sft.max_steps=3"}), ElementsAre("sft.max_steps -1 : 3"));
  EXPECT_THAT(changes(kSft, {"sft.packing=false"}), ElementsAre("sft.packing true : false"));
  EXPECT_THAT(changes(kSft, {"seed=7"}), ElementsAre("seed 42 : 7"));
  EXPECT_THAT(changes(kSft, {"model.dtype=float32"}),
              ElementsAre("model.dtype bfloat16 : float32"));
  EXPECT_THAT(changes(kSft, {"parallel.grad_reduce_dtype=bfloat16"}),
              ElementsAre("parallel.grad_reduce_dtype float32 : bfloat16"));
  EXPECT_THAT(changes(kEvaluate, {"stages.6.records=0:3"}),
              ElementsAre("evaluate.records \"\" : 0:3"));
  EXPECT_THAT(changes(kSft, {"sft.global_batch_size=8"}),
              UnorderedElementsAre("sft.global_batch_size 0 : 8",
                                   "sft.per_device_train_batch_size 1 : none",
                                   "sft.gradient_accumulation_steps 1 : none"));
}

TEST_F(CoveredKeys, AreNotThoseThatOnlySaveLogOrSpread) {
  for (const char* key :
       {"sft.save_steps=5", "sft.save_total_limit=7", "sft.async_save=false", "sft.keep_best=true",
        "sft.resume_from_checkpoint=never", "logging_steps=3", "report_to=[tensorboard]",
        "verify_inputs=true", "parallel.threads=1", "parallel.shard=none", "parallel.backend=mpi",
        "parallel.recompute=block", "parallel.prefetch=2", "run_name=other"}) {
    EXPECT_THAT(changes(kSft, {key}), IsEmpty()) << key;
  }
  EXPECT_THAT(changes(kEvaluate, {"parallel.grad_reduce_dtype=bfloat16"}), IsEmpty());
}

TEST_F(CoveredKeys, HaveSaveStepsWhereTheBestOfWhatWasSavedIsTheResult) {
  EXPECT_THAT(changes(kOrpo, {"orpo.save_steps=200"}), ElementsAre("orpo.save_steps 100 : 200"));
  const std::vector<std::string> last{"orpo.load_best_model_at_end=false"};
  EXPECT_EQ(covers(kOrpo, {last[0], "orpo.save_steps=200"}), covers(kOrpo, last));
}

TEST_F(CoveredKeys, HaveTheContentsOfInputsInPlaceOfTheirPaths) {
  EXPECT_THAT(changes(kEvaluate, {"stages.6.data=" + at("d/../d/")}), IsEmpty());
  EXPECT_THAT(changes(kEvaluate, {"stages.6.data=" + at("copy")}), IsEmpty());
  EXPECT_THAT(changes(kEvaluate, {"stages.6.data=" + at("d/mzsre_test_duplicate_enes.json")}),
              IsEmpty());
  EXPECT_THAT(changes(kBuildData, {"build_data.sources.0.data=" + at("copy")}), IsEmpty());

  root_.write("copy/mzsre_test_duplicate_enes.json", "others");
  EXPECT_THAT(changes(kBuildData, {"build_data.sources.0.data=" + at("copy")}),
              ElementsAre("build_data.sources.0.data " + sha256_hex("rows").substr(0, 12) + " : " +
                          sha256_hex("others").substr(0, 12)));
}

TEST_F(CoveredKeys, HaveTheModelsFilesByName) {
  fs::copy(root_.path() / "m", root_.path() / "elsewhere");
  EXPECT_THAT(changes(kSft, {"model.model_name_or_path=" + at("elsewhere")}), IsEmpty());
  EXPECT_THAT(changes(kSft, {"model.model_name_or_path=" + at("m/")}), IsEmpty());

  root_.write("elsewhere/config.json", "{}");
  EXPECT_THAT(changes(kSft, {"model.model_name_or_path=" + at("elsewhere")}),
              ElementsAre(HasSubstr("model.files.config.json ")));
}

/// What `covers` says of the model's files, in the order in which it is hashed.
std::string model_part(const Json& covers) {
  Json part;
  for (const auto& [key, value] : covers.items()) {
    if (key.starts_with("model.files")) part[key] = value;
  }
  return part.dump();
}

TEST_F(CoveredKeys, OfAModelAreNoneForFilesThatItDoesNotHave) {
  EXPECT_EQ(
      model_part(covers(kSft)),
      concat(R"({"model.files.config.json":")", sha256_hex("m/config.json"),
             R"(","model.files.model.safetensors":")", sha256_hex("m/model.safetensors"), R"("})"));
  const std::vector<fs::path> gguf{root_.path() / "d/mzsre_test_duplicate_enes.json"};
  const Json of_one = covered_keys(
      recipe(), kSft, gguf, [](const fs::path& file) { return sha256_hex(text_of_file(file)); });
  EXPECT_EQ(model_part(of_one), concat(R"({"model.files":")", sha256_hex("rows"), R"("})"));
}

TEST_F(CoveredKeys, HaveTheNormalisedPathOfAnExport) {
  EXPECT_EQ(covers(kExport)["export.path"], "hf");
  EXPECT_THAT(changes(kExport, {"export.path=" + at("run/x/../hf/")}), IsEmpty());
  EXPECT_THAT(changes(kExport, {"output_dir=" + at("moved"), "export.path=" + at("moved/hf")}),
              IsEmpty());
  EXPECT_EQ(covers(kExport, {"export.path=" + at("h")})["export.path"],
            (fs::canonical(root_.path()) / "h").string());
}

TEST_F(CoveredKeys, ThatWereNotKnownBeforeCountAsTheirDefaults) {
  const Recipe read = recipe();
  Json before = covers(kSft);
  before.erase("sft.truncation");
  EXPECT_THAT(changed_keys(before, covers(kSft), *read.stages[kSft]), IsEmpty());

  const auto changed =
      changed_keys(before, covers(kSft, {"sft.truncation=proportional"}), *read.stages[kSft]);
  ASSERT_EQ(changed.size(), 1U);
  EXPECT_EQ(text_of(changed[0]), "sft.truncation none : proportional");

  Json data = covers(kBuildData);
  data.erase("build_data.sources.0.records");
  EXPECT_THAT(changed_keys(data, covers(kBuildData), *read.stages[kBuildData]), IsEmpty());
}

TEST_F(CoveredKeys, WithoutWhatWasLeftOutAreThoseOfAnEarlierVersion) {
  const Recipe read = recipe();
  const Json before = covers(kBuildData);
  Json now = before, later = before;
  now["build_data.left_out_questions"] = "few";
  later["build_data.left_out_questions"] = "many";

  EXPECT_THAT(changed_keys(before, now, *read.stages[kBuildData]), IsEmpty());
  const auto changed = changed_keys(now, later, *read.stages[kBuildData]);
  ASSERT_EQ(changed.size(), 1U);
  EXPECT_EQ(text_of(changed[0]), "build_data.left_out_questions few : many");
}

TEST_F(CoveredKeys, SayWhatIsAskedByKeysAndContents) {
  const auto asked = [&](const std::vector<std::string>& overrides) {
    return asked_questions(recipe(overrides),
                           [](const fs::path& file) { return sha256_hex(text_of_file(file)); });
  };

  EXPECT_EQ(asked({}).size(), 2U);
  EXPECT_EQ(asked({"stages.6.data=" + at("copy"), "stages.6.mode=single"}), asked({}));
  EXPECT_NE(asked({"stages.6.records=0:3"}), asked({}));
  root_.write("copy/mzsre_test_duplicate_enes.json", "others");
  EXPECT_NE(asked({"stages.6.data=" + at("copy")}), asked({}));
}

TEST_F(CoveredKeys, ThatAreKnownNoMoreAreChanges) {
  const Recipe read = recipe();
  Json before = covers(kSft);
  before["sft.forgotten"] = 1;

  const auto changed = changed_keys(before, covers(kSft), *read.stages[kSft]);

  ASSERT_EQ(changed.size(), 1U);
  EXPECT_EQ(text_of(changed[0]), "sft.forgotten 1 : none");
}

TEST_F(CoveredKeys, SayWhatAStageBuildsOn) {
  const Recipe read = recipe();

  EXPECT_THAT(built_on(read, 0), IsEmpty());
  EXPECT_THAT(built_on(read, kBuildData), IsEmpty());
  EXPECT_THAT(built_on(read, kSft), ElementsAre(Pair("builds_on.build_data", kBuildData)));
  EXPECT_THAT(built_on(read, 4),
              ElementsAre(Pair("builds_on.sample", 3U), Pair("builds_on.weights", kSft)));
  EXPECT_THAT(built_on(read, kOrpo),
              ElementsAre(Pair("builds_on.rank", 4U), Pair("builds_on.weights", kSft)));
  EXPECT_THAT(built_on(read, kExport), ElementsAre(Pair("builds_on.weights", kQuantize)));
}

}  // namespace
}  // namespace xkde::recipe
