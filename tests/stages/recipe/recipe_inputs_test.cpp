#include "stages/recipe/recipe_inputs.h"

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/error.h"
#include "tests/stages/recipe/recipe_text.h"

namespace xkde::recipe {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

/// A stage that only tests have. Its input is bad where it has a fault.
struct ProbeStage final : Stage {
  static constexpr std::string_view kName = "probe";
  std::string file;
  std::string fault;

  void each_key(StrictMap map) {
    map.required("file", file);
    map.optional("fault", fault);
    map.done();
  }
  std::string_view name() const override { return kName; }
  Json keys() const override { return written(*this); }
  void check_inputs(InputChecker& inputs) const override {
    if (!inputs.opens("file", file, "a file for the probe")) return;
    inputs.reads("file", [this] { XKDE_CHECK(fault.empty(), DataError, fault); });
  }
};
constexpr StageParser kProbe[] = {parser_of<ProbeStage>()};

/// A row of a benchmark in the languages of kSmallRecipe.
constexpr const char* kRows = R"([{
  "en": {"subject": "s", "src": "a?", "alt": "b", "rephrase": "c?", "loc": "d?", "loc_ans": "e"},
  "es": {"subject": "s", "src": "a?", "alt": "b", "rephrase": "c?", "loc": "d?", "loc_ans": "e"},
  "fr": {"subject": "s", "src": "a?", "alt": "b", "rephrase": "c?", "loc": "d?", "loc_ans": "e"},
  "de": {"subject": "s", "src": "a?", "alt": "b", "rephrase": "c?", "loc": "d?", "loc_ans": "e"}}])";

/// A folder with a model, a data file and a training file; gone at the end.
class RecipeInputs : public ::testing::Test {
 protected:
  RecipeInputs() {
    fs::create_directories(root_ / "model");
    fs::create_directories(root_ / "empty");
    std::ofstream(root_ / "rows.json") << kRows;
    std::ofstream(root_ / "model/config.json") << "{}";
    std::ofstream(root_ / "weights.gguf") << "GGUF";
    std::ofstream(root_ / "train.json")
        << R"([{"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]}])";
  }
  ~RecipeInputs() override { fs::remove_all(root_); }

  Recipe recipe(std::vector<std::string> overrides = {}) const {
    const std::string root = root_.string();
    std::vector<std::string> all{"model.model_name_or_path=" + root + "/model",
                                 "build_data.sources.0.data=" + root + "/rows.json",
                                 "evaluate.data=" + root + "/rows.json"};
    all.insert(all.end(), overrides.begin(), overrides.end());
    return parse_recipe(kSmallRecipe, "r.yaml", kStageParsers, all);
  }

  /// A file that no reader of JSON takes.
  fs::path bad() const {
    std::ofstream(root_ / "bad.json") << "[{}";
    return root_ / "bad.json";
  }

  /// Two stages that read train.json, with these faults.
  Recipe probes(const std::string& first, const std::string& second) const {
    const std::string file = (root_ / "train.json").string();
    const auto probe = [&](const std::string& fault) {
      return "  - probe: {file: " + file + (fault.empty() ? "" : ", fault: " + fault) + "}\n";
    };
    const std::string model = (root_ / "model").string();
    return parse_recipe(
        "model: {model_name_or_path: " + model + "}\nstages:\n" + probe(first) + probe(second),
        "r.yaml", kProbe);
  }

  fs::path root_ =
      fs::path(::testing::TempDir()) / ("xkde_recipe_inputs_" + std::to_string(::getpid()));
};

int64_t any_model(const fs::path& /*model*/) { return 2048; }

template <typename ErrorType>
std::string message_of(const Recipe& recipe, const ModelCheck& check_model = any_model) {
  try {
    LoadedData files;
    validate_inputs(recipe, files, check_model);
  } catch (const ErrorType& error) {
    return error.what();
  }
  return "no such error";
}

TEST_F(RecipeInputs, AreFineWhenAllIsThere) {
  EXPECT_EQ(message_of<Error>(recipe()), "no such error");
  EXPECT_EQ(
      message_of<Error>(recipe({"model.model_name_or_path=" + root_.string() + "/weights.gguf",
                                "sft.train_data=" + root_.string() + "/train.json"})),
      "no such error");
}

TEST_F(RecipeInputs, AreReportedAllAtOnceWhenMissing) {
  const Recipe missing =
      parse_recipe(kSmallRecipe, "r.yaml", kStageParsers, {"sft.train_data=$HOME/none.json"});

  EXPECT_EQ(message_of<MissingInputError>(missing),
            "r.yaml: 4 errors\n"
            "r.yaml:3:23: model.model_name_or_path: expected a Hugging Face folder or a .gguf "
            "file, found nothing that can be opened at models/tiny\n"
            "r.yaml:8:17: build_data.sources.0.data: expected a file or folder of the benchmark, "
            "found nothing that can be opened at data/train\n"
            "command line: sft.train_data: expected build_data or a training file, found nothing "
            "that can be opened at $HOME/none.json (variables and ~ are not expanded)\n"
            "r.yaml:14:13: evaluate.data: expected a file or folder of the benchmark, found "
            "nothing that can be opened at data/test");
}

TEST_F(RecipeInputs, ModelIsAFolderWithAConfigurationOrAGgufFile) {
  EXPECT_THAT(message_of<MissingInputError>(
                  recipe({"model.model_name_or_path=" + (root_ / "empty").string()})),
              HasSubstr("empty/config.json"));
  EXPECT_THAT(message_of<ConfigError>(
                  recipe({"model.model_name_or_path=" + (root_ / "train.json").string()})),
              HasSubstr("expected a Hugging Face folder or a .gguf file, found the file "));
}

TEST_F(RecipeInputs, ModelIsHandedToTheCheckOfTheCaller) {
  EXPECT_EQ(message_of<DataError>(recipe(),
                                  [](const fs::path& model) -> int64_t {
                                    throw DataError(model.filename().string());
                                  }),
            "command line: model.model_name_or_path: model");
}

TEST_F(RecipeInputs, APromptOfOrpoMustLeaveRoomInTheModelsContext) {
  std::ofstream(root_ / "pairs.jsonl") << R"({"prompt": "p", "chosen": "a", "rejected": "b"})"
                                       << "\n";
  const Recipe pairs =
      parse_recipe("model: {model_name_or_path: " + (root_ / "model").string() +
                       "}\nstages:\n  - orpo: {pairs: " + (root_ / "pairs.jsonl").string() + "}\n",
                   "r.yaml", kStageParsers, {"orpo.max_prompt_length=100"});
  const auto context_of = [](int64_t tokens) {
    return [tokens](const fs::path& /*model*/) { return tokens; };
  };

  EXPECT_EQ(message_of<ConfigError>(pairs, context_of(100)),
            "command line: orpo.max_prompt_length: expected less than the 100 tokens of the "
            "model's context, found 100");
  EXPECT_EQ(message_of<ConfigError>(pairs, context_of(101)), "no such error");
}

TEST_F(RecipeInputs, ExcludedDataIsOpenedAndRead) {
  const std::string text = with(kSmallRecipe, "  - build_data:\n",
                                "  - build_data:\n      exclude: [{benchmark: zsre, data: x}]\n");
  const std::string rows = (root_ / "rows.json").string();
  const std::vector<std::string> overrides{"model.model_name_or_path=" + (root_ / "model").string(),
                                           "build_data.sources.0.data=" + rows,
                                           "evaluate.data=" + rows};
  EXPECT_THAT(message_of<MissingInputError>(parse_recipe(text, "r.yaml", kStageParsers, overrides)),
              HasSubstr("build_data.exclude.0.data: expected a file or folder of the benchmark, "
                        "found nothing that can be opened at x"));

  const std::string there = with(text, "data: x", "data: " + rows);
  EXPECT_THAT(message_of<DataError>(parse_recipe(there, "r.yaml", kStageParsers, overrides)),
              HasSubstr("build_data.exclude.0.data: " + rows + ": row 0"));
}

TEST_F(RecipeInputs, AreReadByTheStagesThatNameThem) {
  const std::string file = bad().string();

  EXPECT_EQ(message_of<DataError>(recipe({"sft.train_data=" + file, "evaluate.data=" + file}))
                .substr(0, 16),
            "r.yaml: 2 errors");
  EXPECT_THAT(message_of<DataError>(recipe({"sft.train_data=" + file})),
              HasSubstr("sft.train_data: " + file));
  EXPECT_THAT(message_of<DataError>(recipe({"evaluate.data=" + file})),
              HasSubstr("evaluate.data: " + file));
}

TEST_F(RecipeInputs, AreRegularFilesOrFolders) {
  const std::string fifo = (root_ / "fifo").string();
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  fs::create_symlink("loop", root_ / "loop");

  EXPECT_THAT(
      message_of<MissingInputError>(recipe({"sft.train_data=" + fifo})),
      HasSubstr("sft.train_data: expected build_data or a training file, found what can't be "
                "opened: " +
                fifo + ": expected a regular file, found a FIFO"));
  EXPECT_THAT(message_of<MissingInputError>(recipe({"evaluate.data=/dev/zero"})),
              HasSubstr("/dev/zero: expected a regular file, found a device"));
  EXPECT_THAT(message_of<MissingInputError>(recipe({"evaluate.data=" + (root_ / "loop").string()})),
              HasSubstr("Too many levels of symbolic links"));
}

TEST_F(RecipeInputs, PairsAndSamplesAreRead) {
  const std::string file = (root_ / "lines.jsonl").string();
  const std::string model = "model: {model_name_or_path: " + (root_ / "model").string() + "}\n";
  const auto message = [&](const std::string& stage, const std::string& lines) {
    std::ofstream(file) << lines;
    return message_of<DataError>(
        parse_recipe(model + "stages:\n  - " + stage + "\n", "r.yaml", kStageParsers));
  };
  const std::string orpo = "orpo: {pairs: " + file + ", max_steps: 1}";
  const std::string rank = "rank: {reward: chrf, samples: " + file + "}";
  const std::string pair = R"({"prompt": "a", "chosen": "b", "rejected": "c"})";

  EXPECT_EQ(message(orpo, pair + "\n" + pair), "no such error");
  EXPECT_THAT(message(orpo, pair + "\n{}\n"),
              HasSubstr("orpo.pairs: " + file + ": line 2: prompt: expected a text"));
  const std::string equal = R"({"prompt": "a", "chosen": "b", "rejected": "b"})";
  const std::string dev = R"({"prompt": "a", "chosen": "b", "rejected": "c", "split": "dev"})";
  EXPECT_THAT(message(orpo, equal + "\n" + dev),
              HasSubstr("expected at least one pair to train on, found none (1 dev pairs, 1 with "
                        "equal texts)"));
  EXPECT_THAT(message(rank, "[]\n"), HasSubstr("rank.samples: " + file + ": line 1: expected one"));
}

TEST_F(RecipeInputs, FaultsKeepTheirKind) {
  const std::string file = bad().string();

  EXPECT_EQ(message_of<Error>(probes("", "")), "no such error");
  EXPECT_EQ(message_of<DataError>(probes("row 3", "row 7")),
            "r.yaml: 2 errors\n"
            "r.yaml:3:19: stages.0.probe.file: row 3\n"
            "r.yaml:4:19: stages.1.probe.file: row 7");
  EXPECT_EQ(message_of<DataError>(probes("row 3", "row 3")),
            "r.yaml: 2 errors\n"
            "r.yaml:3:19: stages.0.probe.file: row 3\n"
            "r.yaml:4:19: stages.1.probe.file: the same fault as stages.0.probe.file");
  EXPECT_THAT(
      message_of<MissingInputError>(recipe({"evaluate.data=none", "sft.train_data=" + file})),
      HasSubstr("bad.json"));
}

}  // namespace
}  // namespace xkde::recipe
