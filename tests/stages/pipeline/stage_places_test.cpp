#include "stages/pipeline/stage_places.h"

#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/io/file.h"
#include "stages/pipeline/stage_parsers.h"
#include "stages/run/fresh_folder.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_folder.h"

namespace xkde::recipe {
namespace {

namespace fs = std::filesystem;
using test::message_of;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;

/// A run's folder in which stages run and finish at once.
class StagePlaces : public ::testing::Test {
 protected:
  StagePlaces() { fs::create_directories(run_); }

  /// A recipe of these stages; a stage's key is what it covers: "sft 3", "evaluate b". An export
  /// goes to export_.
  Recipe recipe(const std::vector<std::string>& stages, const std::string& run_name = "r") {
    covers_.clear();
    std::string text = "model: {model_name_or_path: m}\nstages:\n";
    for (const std::string& stage : stages) {
      const std::string name = stage.substr(0, stage.find(' '));
      text += "  - " + name + ": " +
              (name == "sft"      ? "{train_data: t.json}"
               : name == "export" ? "{path: " + export_.string() + "}"
                                  : "{benchmark: mzsre, data: d, edit_languages: [en], "
                                    "test_languages: [es]}") +
              "\n";
      covers_.push_back({{name + ".key", stage.substr(stage.find(' ') + 1)}});
    }
    return parse_recipe(text, "r.yaml", kStageParsers,
                        {"output_dir=" + run_.string(), "run_name=" + run_name});
  }
  std::vector<StagePlace> place(const Recipe& recipe,
                                ChangedStages changed = ChangedStages::kRefuse) {
    return place_stages(recipe, covers_, read_run_record(run_), changed);
  }
  /// Runs all stages, or is refused; their folders.
  std::vector<std::string> start(const std::vector<std::string>& stages,
                                 ChangedStages changed = ChangedStages::kRefuse,
                                 const std::string& run_name = "r") {
    const Recipe read = recipe(stages, run_name);
    const std::vector<StagePlace> places = place(read, changed);
    std::vector<std::string> names;
    started_ = 0;
    for (const StagePlace& one : places) {
      names.push_back(one.folder);
      if (one.state == StageState::kDone) continue;
      ++started_;
      open_stage_folder(run_ / one.folder, one.fingerprint);
      if (one.folder.ends_with("-export")) {
        FreshFolder fresh(export_);
        fresh.publish(origin_id(one.fingerprint.covers, "export"));
      } else {
        root_.write("run/" + one.folder + "/work", one.fingerprint.id);
      }
      finish_stage_folder(run_ / one.folder, one.fingerprint);
    }
    const Json record{{"run_name", run_name}, {"exit_reason", "done"}, {"stages", names}};
    root_.write("run/run.json", record.dump());
    return names;
  }
  std::string refusal(const std::vector<std::string>& stages, const std::string& run_name = "r") {
    return message_of<ConfigError>([&] { start(stages, ChangedStages::kRefuse, run_name); });
  }

  test::TempFolder root_;
  fs::path run_ = root_.path() / "run";
  fs::path export_ = root_.path() / "hf";
  std::vector<Json> covers_;
  int started_ = 0;
};

TEST_F(StagePlaces, AreNumberedAndKept) {
  EXPECT_THAT(start({"evaluate a", "sft 1", "evaluate a"}),
              ElementsAre("01-evaluate", "02-sft", "03-evaluate"));
  EXPECT_EQ(started_, 3);
  EXPECT_THAT(start({"evaluate a", "sft 1", "evaluate a"}),
              ElementsAre("01-evaluate", "02-sft", "03-evaluate"));
  EXPECT_EQ(started_, 0);
}

TEST_F(StagePlaces, StayWhenAStageInFrontIsRemovedOrAdded) {
  start({"evaluate a", "sft 1", "evaluate b"});

  EXPECT_THAT(start({"sft 1", "evaluate b"}), ElementsAre("02-sft", "03-evaluate"));
  EXPECT_EQ(started_, 0);
  EXPECT_THAT(start({"evaluate c", "evaluate a", "sft 1", "evaluate b"}),
              ElementsAre("02-evaluate", "01-evaluate", "02-sft", "03-evaluate"));
  EXPECT_EQ(started_, 1);
  EXPECT_THAT(start({"evaluate c", "evaluate a", "sft 1", "evaluate b", "evaluate d"}),
              ElementsAre("02-evaluate", "01-evaluate", "02-sft", "03-evaluate", "05-evaluate"));
  EXPECT_TRUE(fs::exists(run_ / "01-evaluate" / "work"));
}

TEST_F(StagePlaces, OfAStageThatIsStartedAreToBeResumed) {
  start({"sft 1"});
  fs::remove(run_ / "01-sft" / "DONE");

  EXPECT_EQ(place(recipe({"sft 1"}))[0].state, StageState::kStarted);
}

TEST_F(StagePlaces, OfChangedStagesAreRefusedWithTheKeys) {
  start({"sft 1", "evaluate b"});

  const std::string text = refusal({"sft 2", "evaluate b"});

  EXPECT_EQ(
      text,
      "command line: output_dir: " + run_.string() +
          ": expected the stages as they were begun, found 2 changed; another output_dir "
          "leaves what is there, --fresh sets it aside\n"
          "  01-sft (01-sft.old-1 with --fresh): sft.key 1 : 2\n"
          "  02-evaluate (02-evaluate.old-1 with --fresh): builds on what has changed (weights)");
  EXPECT_TRUE(fs::exists(run_ / "01-sft" / "work"));
  EXPECT_THAT(start({"sft 1", "evaluate b"}), ElementsAre("01-sft", "02-evaluate"));
  EXPECT_EQ(started_, 0);
}

TEST_F(StagePlaces, OfChangedStagesAreSetAsideOnRequest) {
  start({"sft 1", "evaluate b"});
  const std::string work = text_of_file(run_ / "01-sft" / "work");
  root_.write("run/01-sft/mine.txt", "mine");

  EXPECT_THAT(start({"sft 2", "evaluate b"}, ChangedStages::kSetAside),
              ElementsAre("01-sft", "02-evaluate"));
  EXPECT_EQ(started_, 2);
  start({"sft 3", "evaluate b"}, ChangedStages::kSetAside);

  EXPECT_EQ(text_of_file(run_ / "01-sft.old-1" / "work"), work);
  EXPECT_EQ(text_of_file(run_ / "01-sft.old-1" / "mine.txt"), "mine");
  for (const char* name :
       {"01-sft.old-2", "02-evaluate.old-1", "02-evaluate.old-2", "run.json.old-1"})
    EXPECT_TRUE(fs::exists(run_ / name)) << name;
}

TEST_F(StagePlaces, WithoutWorkAreTakenWithoutAsking) {
  start({"sft 1"});
  fs::remove(run_ / "01-sft" / "work");

  EXPECT_THAT(start({"sft 2"}), ElementsAre("01-sft"));
  EXPECT_EQ(started_, 1);
  EXPECT_FALSE(fs::exists(run_ / "01-sft.old-1"));
}

TEST_F(StagePlaces, OfAnExportOfTheSameWeightsAreTakenAgain) {
  start({"sft 1", "export a"});

  start({"sft 1", "export b"});  // in another dtype, say
  EXPECT_EQ(started_, 1);
  fs::remove(run_ / "02-export" / "DONE");
  start({"sft 1", "export b"});
  EXPECT_EQ(started_, 1);
}

TEST_F(StagePlaces, OfAnExportOfOtherWeightsAreRefusedAndSetAsideOnRequest) {
  start({"sft 1", "export a"});
  const std::string before = text_of_file(export_ / kExportMark);

  const std::string line =
      "r.yaml:4:20: export.path: " + export_.string() +
      ": expected nothing there or an earlier export of the same weights, found one of others; "
      "another folder leaves what is there, --fresh sets it aside (hf.old-1)";
  EXPECT_THAT(refusal({"sft 2", "export a"}),
              AllOf(HasSubstr("01-sft.old-1 with --fresh"), EndsWith("\n" + line)));
  fs::rename(run_, root_.path() / "earlier");  // a run in another folder is asked no less
  fs::create_directories(run_);
  EXPECT_EQ(refusal({"sft 2", "export a"}), line);
  EXPECT_EQ(text_of_file(export_ / kExportMark), before);

  start({"sft 2", "export a"}, ChangedStages::kSetAside);
  EXPECT_EQ(text_of_file(export_.string() + ".old-1/" + kExportMark), before);
  EXPECT_NE(text_of_file(export_ / kExportMark), before);
  EXPECT_FALSE(fs::exists(run_ / "run.json.old-1"));
}

TEST_F(StagePlaces, OfAMovedAndChangedStageAreRefusedToo) {
  start({"evaluate a", "sft 1"});

  EXPECT_THAT(refusal({"sft 2"}), HasSubstr("02-sft (02-sft.old-1 with --fresh): sft.key 1 : 2"));
}

TEST_F(StagePlaces, OfStagesThatWereRemovedBeforeAreNobodys) {
  start({"evaluate a", "evaluate b"});
  start({"evaluate b"});

  EXPECT_THAT(start({"evaluate b", "evaluate c"}), ElementsAre("02-evaluate", "03-evaluate"));
  EXPECT_TRUE(fs::exists(run_ / "01-evaluate" / "work"));
  EXPECT_THAT(start({"evaluate a", "evaluate b", "evaluate c"}),
              ElementsAre("01-evaluate", "02-evaluate", "03-evaluate"));
  EXPECT_EQ(started_, 0);
}

TEST_F(StagePlaces, OfAnEarlierVersionAreRefusedAndSetAsideOnRequest) {
  start({"sft 1"});
  root_.write("run/01-sft/FINGERPRINT", std::string(64, 'a'));
  root_.write("run/run.json",
              R"({"run_name": "r", "exit_reason": "done", "recipe": {"stages": [{"sft": {}}]}})");

  EXPECT_THAT(refusal({"sft 1"}),
              HasSubstr("01-sft (01-sft.old-1 with --fresh): its FINGERPRINT, of an "
                        "earlier version or gone, does not tell what it covers"));
  start({"sft 1"}, ChangedStages::kSetAside);
  EXPECT_TRUE(fs::exists(run_ / "01-sft.old-1" / "work"));
}

TEST_F(StagePlaces, OfAnotherRunAreRefusedAndSetAsideOnRequest) {
  start({"sft 1", "evaluate b"});

  EXPECT_EQ(refusal({"evaluate c"}, "other"),
            "command line: output_dir: " + run_.string() +
                ": expected the run r, found other; run_name=r goes on with it, another output_dir "
                "leaves what is there, --fresh sets it aside\n"
                "  01-sft (01-sft.old-1 with --fresh): of the run r\n"
                "  02-evaluate (02-evaluate.old-1 with --fresh): of the run r");
  EXPECT_THAT(start({"evaluate c"}, ChangedStages::kSetAside, "other"), ElementsAre("01-evaluate"));
  EXPECT_TRUE(fs::exists(run_ / "02-evaluate.old-1" / "work"));
  EXPECT_TRUE(fs::exists(run_ / "01-sft.old-1" / "work"));
  EXPECT_TRUE(fs::exists(run_ / "run.json.old-1"));
}

}  // namespace
}  // namespace xkde::recipe
