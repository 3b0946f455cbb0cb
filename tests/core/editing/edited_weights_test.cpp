#include "core/editing/edited_weights.h"

#include <filesystem>
#include <string>

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/io/file.h"
#include "core/io/hdf5_file.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_folder.h"

namespace xkde {
namespace {

namespace fs = std::filesystem;
using test::message_of;
using testing::HasSubstr;

class EditedWeightsTest : public testing::Test {
 protected:
  EditedWeightsTest() {
    at::manual_seed(3);
    edited_.weights["model.layers.1.mlp.down_proj.weight"] = at::randn({6, 10});
    edited_.weights["model.layers.0.mlp.up_proj.weight"] = at::randn({10, 6});
    edited_.state["10x6/mean"] = at::randn({16}, at::kDouble);
    edited_.state["10x6/count"] = at::full({1}, 7.0, at::kDouble);
    edited_.editor = R"(ultraedit {"learning_rate":1e-06})";
    edited_.written = 12;
  }

  const test::TempFolder folder_;
  const fs::path path_ = folder_.path() / "weights.h5";
  EditedFile edited_;
};

TEST_F(EditedWeightsTest, GivesBackWhatWasWritten) {
  write_edited(path_, edited_);
  const EditedFile found = read_edited(path_);

  EXPECT_EQ(found.editor, edited_.editor);
  EXPECT_EQ(found.written, 12);
  for (const auto& [one, other] :
       {std::pair{&found.weights, &edited_.weights}, std::pair{&found.state, &edited_.state}}) {
    ASSERT_EQ(one->size(), other->size());
    for (const auto& [name, tensor] : *other) {
      EXPECT_EQ(one->at(name).scalar_type(), tensor.scalar_type()) << name;
      EXPECT_TRUE(at::equal(one->at(name), tensor)) << name;
    }
  }
}

TEST_F(EditedWeightsTest, GivesBackTensorsThatAreViews) {
  const at::Tensor whole = at::randn({10, 6});
  edited_.weights = {{"turned", whole.t()}};
  write_edited(path_, edited_);

  EXPECT_TRUE(at::equal(read_edited(path_).weights.at("turned"), whole.t()));
}

TEST_F(EditedWeightsTest, HoldsStatesOfOtherTypesExactly) {
  edited_.state = {{"keys", at::randn({300, 4})},  // more rows than a chunk
                   {"targets", at::tensor({5, -1, 128'255}, at::kLong)}};
  write_edited(path_, edited_);
  const EditedFile found = read_edited(path_);

  for (const auto& [name, tensor] : edited_.state)
    EXPECT_TRUE(at::equal(found.state.at(name), tensor.to(at::kDouble))) << name;
}

TEST_F(EditedWeightsTest, MayHoldNothing) {
  write_edited(path_, {});
  const EditedFile found = read_edited(path_);

  EXPECT_TRUE(found.weights.empty());
  EXPECT_TRUE(found.state.empty());
  EXPECT_EQ(found.written, 0);
}

TEST_F(EditedWeightsTest, EqualContentGivesEqualBytes) {
  write_edited(path_, edited_);
  const std::string once = text_of_file(path_);
  write_edited(path_, read_edited(path_));

  EXPECT_EQ(text_of_file(path_), once);
  EXPECT_FALSE(fs::exists(path_.string() + ".tmp"));
}

TEST_F(EditedWeightsTest, AFileOfAKilledWriterIsNotInTheWay) {
  folder_.write("weights.h5.tmp", "half a file");
  write_edited(path_, edited_);

  EXPECT_EQ(read_edited(path_).written, 12);
  EXPECT_FALSE(fs::exists(path_.string() + ".tmp"));
}

TEST_F(EditedWeightsTest, AFileThatCannotBeWrittenIsAnIoError) {
  const fs::path nowhere = folder_.path() / "none" / "weights.h5";
  EXPECT_THAT(message_of<IoError>([&] { write_edited(nowhere, edited_); }),
              HasSubstr(nowhere.string()));
}

TEST_F(EditedWeightsTest, AForeignFileIsNamed) {
  {
    Hdf5File other = Hdf5File::create(path_);
    other.set_attribute("kind", "something else");
    other.close();
  }
  EXPECT_THAT(message_of<CheckpointError>([&] { read_edited(path_); }), HasSubstr(path_.string()));

  const fs::path text = folder_.write("text.h5", "no HDF5 file at all");
  EXPECT_THAT(message_of<CheckpointError>([&] { read_edited(text); }), HasSubstr(text.string()));
  const fs::path missing = folder_.path() / "missing.h5";
  EXPECT_THROW(read_edited(missing), Error);
}

TEST_F(EditedWeightsTest, AnotherVersionIsNamed) {
  {
    Hdf5File file = Hdf5File::create(path_);
    file.set_attribute("format_version", 2);
    file.close();
  }
  EXPECT_THAT(message_of<CheckpointError>([&] { read_edited(path_); }),
              HasSubstr("expected edited weights of version 1, found version 2"));
}

/// Each bit that is turned is an error, or one of a byte that says nothing.
TEST_F(EditedWeightsTest, DamageIsFoundOrTouchesNothing) {
  write_edited(path_, edited_);
  const std::string whole = text_of_file(path_);
  int found = 0;
  for (size_t at = 0; at < whole.size(); at += 7) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << (at % 8)));
    const fs::path file = folder_.write("damaged.h5", damaged);
    try {
      const EditedFile read = read_edited(file);
      for (const auto& [name, tensor] : edited_.weights)
        EXPECT_TRUE(at::equal(read.weights.at(name), tensor)) << "byte " << at;
      for (const auto& [name, tensor] : edited_.state)
        EXPECT_TRUE(at::equal(read.state.at(name), tensor)) << "byte " << at;
      EXPECT_EQ(read.written, edited_.written) << "byte " << at;
    } catch (const CheckpointError& error) {
      EXPECT_THAT(error.what(), HasSubstr(file.string()));
      ++found;
    }
  }
  EXPECT_GT(found, 100);
}

TEST_F(EditedWeightsTest, AFileThatWasCutIsNamed) {
  write_edited(path_, edited_);
  const std::string whole = text_of_file(path_);
  for (size_t length = 0; length < whole.size(); length += whole.size() / 13) {
    const fs::path file = folder_.write("cut.h5", whole.substr(0, length));
    EXPECT_THROW(read_edited(file), CheckpointError) << length;
  }
}

}  // namespace
}  // namespace xkde
