#include "core/model/pretrained/export.h"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/model/pretrained/pretrained.h"
#include "tests/core/model/pretrained/exported_folder.h"
#include "tests/support/message_of.h"

namespace xkde {
namespace {

class Export : public test::ExportedFolder {
 protected:
  static ExportedModel parts_of(const PretrainedModel& model,
                                const std::vector<int64_t>& stop_ids) {
    return exported_model(model, model.chat_template, stop_ids);
  }
};

TEST_F(Export, AnExportEndsWhereAnswersEndAndKeepsWhatTheSourceSays) {
  const std::filesystem::path source = exported();
  const Json own = {{"_from_model_config", true}, {"eos_token_id", 3}, {"top_k", 20}};
  std::ofstream(source / "generation_config.json") << own.dump();
  const PretrainedModel model = open_pretrained(source);
  EXPECT_EQ(model.stop_ids(ChatTemplate::select("plain", "")), (std::vector<int64_t>{3}));

  export_pretrained(folder_ / "same", parts_of(model, {3}), Dtype::kFloat32, fill);
  export_pretrained(folder_ / "other", parts_of(model, {2, 3, 2}), Dtype::kFloat32, fill);

  EXPECT_EQ(read_json_file(folder_ / "same/generation_config.json"), own);
  const Json extended = {{"eos_token_id", {3, 2}}, {"top_k", 20}};
  EXPECT_EQ(read_json_file(folder_ / "other/generation_config.json"), extended);
}

TEST_F(Export, AFailedExportLeavesNothing) {
  const PretrainedModel model = open_pretrained(exported());

  EXPECT_THROW(
      export_pretrained(folder_ / "broken", parts_of(model, {}), Dtype::kFloat32,
                        [](const std::string&, std::span<float>) { throw IoError("no disk"); }),
      IoError);

  EXPECT_FALSE(std::filesystem::exists(folder_ / "broken"));
}

TEST_F(Export, AnExportWantsAnEmptyFolderAndTouchesNoOther) {
  std::filesystem::create_directories(folder_ / "model.tmp");
  std::ofstream(folder_ / "model.tmp" / "mine") << "kept";
  const std::filesystem::path path = exported();
  const PretrainedModel model = open_pretrained(path);

  EXPECT_THROW(export_pretrained(path, parts_of(model, {}), Dtype::kFloat32, fill), IoError);

  EXPECT_TRUE(std::filesystem::exists(path / "config.json"));
  EXPECT_TRUE(std::filesystem::exists(folder_ / "model.tmp" / "mine"));
}

TEST_F(Export, AnExportOfWhatIsNotFiniteLeavesNothing) {
  const PretrainedModel model = open_pretrained(exported());
  // The third is finite in fp32, but its nearest bf16 is infinite.
  for (const float bad : {NAN, -INFINITY, 3.3999e38F}) {
    for (const Dtype dtype : {Dtype::kFloat32, Dtype::kBFloat16}) {
      const auto act = [&] {
        export_pretrained(folder_ / "broken", parts_of(model, {}), dtype,
                          [&](const std::string& name, std::span<float> out) {
                            fill(name, out);
                            if (name == "model.norm.weight") out[3] = bad;
                          });
      };
      if (dtype == Dtype::kFloat32 && std::isfinite(bad)) continue;

      EXPECT_THAT(
          test::message_of<NumericError>(act),
          testing::HasSubstr("export: tensor model.norm.weight: expected finite values, found "));
      EXPECT_FALSE(std::filesystem::exists(folder_ / "broken"));
      EXPECT_FALSE(std::filesystem::exists(folder_ / "broken.tmp"));
    }
  }
}

}  // namespace
}  // namespace xkde
