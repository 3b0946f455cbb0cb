#include "stages/run/output_path.h"

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "stages/recipe/recipe_inputs.h"
#include "tests/stages/recipe/recipe_text.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_folder.h"

namespace xkde::recipe {
namespace {

namespace fs = std::filesystem;
using test::message_of;
using testing::HasSubstr;

/// A folder with a model, data, and a recipe that reads both and exports.
class OutputPath : public testing::Test {
 protected:
  OutputPath() {
    fs::create_directories(root_.path() / "model");
    fs::create_directories(root_.path() / "data");
    root_.write("data/rows.json", "[]");
  }

  std::string at(const std::string& name) const { return (root_.path() / name).string(); }

  /// What is said of a recipe's outputs; "no error" where they are fine.
  std::string refusal(const std::string& output_dir, const std::string& path) const {
    const Recipe recipe = parse_recipe(
        kSmallRecipe, "r.yaml", kStageParsers,
        {"model.model_name_or_path=" + at("model"), "build_data.sources.0.data=" + at("data"),
         "evaluate.data=" + at("data/rows.json"), "output_dir=" + output_dir,
         "export.path=" + path});
    return message_of<ConfigError>([&] { check_outputs(recipe); });
  }

  test::TempFolder root_;
};

TEST_F(OutputPath, IsNormalisedWhetherItExistsOrNot) {
  fs::create_directory_symlink(root_.path() / "model", root_.path() / "link");

  EXPECT_EQ(normalised(at("model/")), fs::canonical(at("model")));
  EXPECT_EQ(normalised(at("new/")), normalised(at("new")));
  EXPECT_EQ(normalised(at("model/../x/./y//")), normalised(at("x/y")));
  EXPECT_EQ(normalised(at("link/x")), normalised(at("model/x")));
  EXPECT_EQ(normalised("."), fs::current_path());
}

TEST_F(OutputPath, ThatCannotBeFollowedIsRefused) {
  fs::create_symlink("loop", at("loop"));

  EXPECT_THAT(message_of<ConfigError>([&] { normalised(at("loop/x")); }),
              HasSubstr("loop/x: expected a path that can be followed, found Too many levels"));
}

TEST_F(OutputPath, ApartFromAllElseIsFine) {
  EXPECT_EQ(refusal(at("run"), at("h")), "no error");
  EXPECT_EQ(refusal(at("run"), at("h/")), "no error");
  EXPECT_EQ(refusal(at("run"), at("run/model")), "no error");
  fs::create_directories(at("run/02-sft"));
  fs::create_directories(at("h"));
  root_.write("run/notes.txt", "mine");
  EXPECT_EQ(refusal(at("run"), at("h")), "no error");
}

TEST_F(OutputPath, IsNoInputHoldsNoneAndLiesInNone) {
  const std::string begin = "command line: export.path: ";
  const std::string expected = ": expected a path apart from all inputs, found one that ";
  const std::string model = "model.model_name_or_path (" + at("model") + ")";
  EXPECT_EQ(refusal(at("run"), at("model")), begin + at("model") + expected + "is " + model);
  EXPECT_EQ(refusal(at("run"), at("model/")), begin + at("model/") + expected + "is " + model);
  EXPECT_EQ(refusal(at("run"), at("model/x/y")),
            begin + at("model/x/y") + expected + "lies in " + model);
  EXPECT_THAT(refusal(at("run"), at("data/out")),
              HasSubstr("lies in build_data.sources.0.data (" + at("data") + ")"));
  EXPECT_THAT(refusal(at("run"), at("")), HasSubstr("holds model.model_name_or_path"));
  EXPECT_THAT(
      refusal(at("data/rows.json"), at("h")),
      HasSubstr("command line: output_dir: " + at("data/rows.json") + expected + "lies in"));
  EXPECT_THAT(refusal(at("model/run"), at("h")), HasSubstr("lies in model.model_name_or_path"));
  fs::create_directory_symlink(root_.path() / "model", root_.path() / "link");
  EXPECT_THAT(refusal(at("run"), at("link")), HasSubstr("is model.model_name_or_path"));
}

TEST_F(OutputPath, OfAnExportIsApartFromWhatTheRunWrites) {
  const std::string expected = "expected a folder apart from what the run writes in output_dir";
  for (const char* path : {"run", "run/02-sft", "run/02-sft/x", "run/report", "run/run.json"})
    EXPECT_THAT(refusal(at("run"), at(path)), HasSubstr(expected)) << path;
  EXPECT_THAT(refusal(at("runs/a"), at("runs")), HasSubstr("found one that holds " + at("runs/a")));
  EXPECT_THAT(refusal(at("run"), fs::current_path().string()),
              HasSubstr("found one that is or holds the current folder"));
}

TEST_F(OutputPath, OfTwoExportsIsNotTheSame) {
  const std::string text = std::string(kSmallRecipe) + "  - export: {path: " + at("a/b") + "}\n";
  const Recipe recipe = parse_recipe(text, "r.yaml", kStageParsers,
                                     {"stages.3.path=" + at("a"), "output_dir=" + at("run")});

  EXPECT_THAT(message_of<ConfigError>([&] { check_outputs(recipe); }),
              HasSubstr("stages.4.export.path: " + at("a/b") +
                        ": expected a folder apart from all other exports, found one that lies in "
                        "stages.3.export.path (" +
                        at("a") + ")"));
}

TEST_F(OutputPath, WhereSomethingElseIsIsRefused) {
  root_.write("file", "mine");
  fs::create_symlink("nowhere", at("dangling"));
  fs::create_directories(at("mine"));
  root_.write("mine/config.json", "{}");
  root_.write("mine/report.html", "mine");

  EXPECT_THAT(refusal(at("file"), at("h")),
              HasSubstr("output_dir: " + at("file") +
                        ": expected a "
                        "folder for the run, or nothing there, found a file"));
  EXPECT_THAT(refusal(at("file/run"), at("h")),
              HasSubstr("found the file " + at("file") + " on the way to it"));
  EXPECT_THAT(refusal(at("dangling"), at("h")), HasSubstr("found a link that leads nowhere"));
  EXPECT_THAT(refusal(at("mine"), at("h")),
              HasSubstr("mine/report.html: expected no such name in a "
                        "folder that no run has written to"));
  EXPECT_THAT(refusal(at("run"), at("file")), HasSubstr("found a file; move it"));
  EXPECT_THAT(refusal(at("run"), at("dangling")), HasSubstr("found a link that leads nowhere"));
  EXPECT_THAT(
      refusal(at("run"), at("mine")),
      HasSubstr("found a folder without .xkde_export.json; move it, or name another folder"));
  root_.write("mine/run.json", "[]");
  EXPECT_THAT(refusal(at("mine"), at("h")),
              HasSubstr("run.json: expected what a run of this program wrote"));
  root_.write("mine/run.json", R"({"exit_reason": "done"})");
  EXPECT_EQ(refusal(at("mine"), at("h")), "no error");
}

TEST_F(OutputPath, OfAFileIsAFileOrFree) {
  EXPECT_NO_THROW(check_file_or_free(at("data/rows.json")));
  EXPECT_NO_THROW(check_file_or_free(at("new/x.html")));
  EXPECT_THAT(message_of<ConfigError>([&] { check_file_or_free(at("model")); }),
              HasSubstr("model: expected a file, or nothing there, found a folder"));
}

TEST_F(OutputPath, IsLookedAtByValidation) {
  const Recipe recipe = parse_recipe(kSmallRecipe, "r.yaml", kStageParsers,
                                     {"model.model_name_or_path=" + at("model"),
                                      "output_dir=" + at("model"), "export.path=" + at("data")});

  LoadedData files;
  const std::string text = message_of<>([&] {
    validate_inputs(
        recipe, files, [](const fs::path& /*model*/) { return int64_t{0}; },
        [&](const NamedPath& output) { check_output(recipe, output); });
  });

  EXPECT_THAT(text,
              HasSubstr("command line: output_dir: " + at("model") + ": expected a path apart"));
  EXPECT_THAT(text, HasSubstr("command line: export.path: " + at("data") + ": expected "));
}

}  // namespace
}  // namespace xkde::recipe
