#include "stages/export/model_card.h"

#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "tests/support/temp_folder.h"

namespace xkde::recipe {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr const char* kRow =
    R"({"benchmark": "mzsre", "phase": "PHASE", "mode": "single", "size": 1, "method": "xkde",
        "edit_language": "en", "test_language": "es", "metric": "reliability", "value": VALUE, "n": 8})";

class ModelCardTest : public ::testing::Test {
 protected:
  ModelCardTest() {
    put("run.json", R"({"run_name": "a|run", "exit_reason": "running",
      "versions": {"xkde_dist": "1.2.3", "git_commit": "abc123"},
      "recipe": {"seed": 7, "stages": [
        {"evaluate": {"edit_languages": ["en"], "test_languages": ["cz", "no"]}},
        {"build_data": {"sources": [{"edit_languages": ["en"], "test_languages": ["es"]}]}},
        {"sft": {"lora": {"r": 4}}}, {"evaluate": {"edit_languages": ["en"], "test_languages": ["es"]}},
        {"edit": {"method": "rome", "edit_languages": ["en"]}},
        {"export": {"path": "out"}}, {"evaluate": {"edit_languages": ["ja"]}}]},
      "stages": ["01-evaluate", "02-build_data", "03-sft", "04-evaluate", "05-edit", "06-export",
                 "07-evaluate"]})");
    put("01-evaluate/results.json", results("before", "20.5"));
    put("02-build_data/statistics.json", R"({"samples": 12345, "facts": 12, "skipped": {"a": 3}})");
    put("03-sft/metrics.jsonl",
        "{\"step\": 1, \"loss\": 2.5, \"samples\": 5}\n{\"step\": 2, \"loss\": 1.25, \"samples\": "
        "4}\n");
    put("04-evaluate/results.json", results("after", "80.25"));
    put("05-edit/statistics.json", R"({"requests": 9, "written": 8})");
    put("07-evaluate/results.json", results("after", "11.11"));
    base_ = {"tiny", "owner/tiny", {{"license", "apache-2.0"}}};
  }

  void put(const std::string& name, const std::string& text) const {
    fs::create_directories((folder_.path() / name).parent_path());
    folder_.write(name, text);
  }
  static std::string results(const std::string& phase, const std::string& value) {
    std::string row = kRow;
    row.replace(row.find("PHASE"), 5, phase);
    row.replace(row.find("VALUE"), 5, value);
    return "[" + row + "]";
  }
  std::string card(CardSubject subject = CardSubject::kFolder) const {
    return model_card(report::read_run(folder_.path()), "06-export", base_, subject, "bfloat16");
  }

  test::TempFolder folder_;
  BaseModel base_;
};

TEST_F(ModelCardTest, BeginsWithAHeadThatTheHubReads) {
  EXPECT_THAT(card(), StartsWith("---\n"
                                 "license: apache-2.0\n"
                                 "base_model: owner/tiny\n"
                                 "language:\n- \"en\"\n- \"cs\"\n- \"es\"\n"
                                 "library_name: transformers\n"
                                 "pipeline_tag: text-generation\n"
                                 "tags:\n- knowledge-editing\n- cross-lingual\n- x-kde\n"
                                 "---\n"));
  EXPECT_THAT(card(CardSubject::kGguf), HasSubstr("- x-kde\n- gguf\n---\n"));
  EXPECT_THAT(card(CardSubject::kGguf), Not(HasSubstr("library_name")));
  EXPECT_THAT(card(CardSubject::kAdapter), HasSubstr("library_name: peft\n"));
}

TEST_F(ModelCardTest, LeavesOutWhatTheBaseModelDoesNotTell) {
  base_.id = "";
  base_.licence.clear();
  EXPECT_THAT(card(), StartsWith("---\nlanguage:\n"));
  EXPECT_THAT(card(), HasSubstr("made of tiny (whose files name no licence) by"));
}

TEST_F(ModelCardTest, QuotesWhatYamlWouldReadOtherwise) {
  base_.licence = {{"license", "no"}, {"license_name", "a: \"b\" # c"}};
  EXPECT_THAT(card(), StartsWith("---\nlicense: \"no\"\nlicense_name: \"a: \\\"b\\\" # c\"\n"));
}

TEST_F(ModelCardTest, CountsWhatTheStagesAboveDid) {
  EXPECT_THAT(card(), HasSubstr("| 02-build_data | made training samples of parallel edits | "
                                "12,345 samples, 12 facts |\n"));
  EXPECT_THAT(card(),
              HasSubstr("| 03-sft | XE-IT: supervised training on edits | 2 steps, 9 samples "
                        "seen, loss 2.5000 → 1.2500, a LoRA adapter |\n"));
  EXPECT_THAT(card(), HasSubstr("| 05-edit | wrote edits into weights | 9 edits asked for, 8 edits "
                                "written, method rome |\n"));
}

TEST_F(ModelCardTest, HasResultsBeforeAndAfterOfTheStagesAboveOnly) {
  EXPECT_THAT(card(), HasSubstr("**mzsre, single**\n\n"
                                "| edit → test | metric | before training | XE-IT |\n"
                                "| --- | --- | ---: | ---: |\n"
                                "| en → es | reliability | 20.50 | 80.25 |\n"));
  EXPECT_THAT(card(), Not(HasSubstr("11.11")));
}

TEST_F(ModelCardTest, NamesTheProgramAndTheRecipe) {
  EXPECT_THAT(card(), HasSubstr("xkde_dist 1.2.3 (commit abc123)"));
  EXPECT_THAT(card(), HasSubstr("# a\\|run\n"));
  EXPECT_THAT(card(), HasSubstr("```json\n{\n  \"seed\": 7,\n"));
  EXPECT_THAT(card(), HasSubstr("AutoModelForCausalLM.from_pretrained(folder"));
}

TEST_F(ModelCardTest, SaysNothingOfFoldersOfTheMachine) {
  put("run.json", R"({"run_name": "r", "recipe": {"output_dir": "/home/me/runs/r",
      "model": {"model_name_or_path": "/home/me/models/m.gguf"},
      "stages": [{"export": {"path": "/home/me/out", "dtype": "float32"}}]},
      "exit_reason": "running", "stages": ["01-export"]})");

  const std::string text = model_card(report::read_run(folder_.path()), "01-export", base_,
                                      CardSubject::kFolder, "float32");

  EXPECT_THAT(text, HasSubstr("\"model_name_or_path\": \"m.gguf\""));
  EXPECT_THAT(text, HasSubstr("\"dtype\": \"float32\""));
  EXPECT_THAT(text, Not(HasSubstr("/home/me")));
  EXPECT_THAT(text, Not(HasSubstr("output_dir")));
}

TEST_F(ModelCardTest, OfARunThatOnlyExportsSaysSo) {
  put("run.json", R"({"run_name": "r", "recipe": {"stages": [{"export": {"path": "o"}}]},
                      "exit_reason": "running", "stages": ["01-export"]})");
  const std::string text = model_card(report::read_run(folder_.path()), "01-export", base_,
                                      CardSubject::kFolder, "float32");
  EXPECT_THAT(text, HasSubstr("Nothing: these are the weights of the base model.\n"));
  EXPECT_THAT(text, Not(HasSubstr("## Results")));
  EXPECT_THAT(text, Not(HasSubstr("language:")));
  EXPECT_THROW(card(), InternalError);
}

}  // namespace
}  // namespace xkde::recipe
