#include "core/editing/moments/covariance_file.h"

#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <vector>

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
using testing::ElementsAre;
using testing::HasSubstr;

constexpr int64_t kWidth = 300;  ///< more than one chunk of rows

at::Tensor matrix(double scale) {
  const at::Tensor k = at::arange(5 * kWidth, at::kDouble).reshape({5, kWidth}).cos() * scale;
  return k.t().mm(k);
}

class CovarianceFileTest : public testing::Test {
 protected:
  void write() {
    write_covariance(path_,
                     {{moment_place(3, "down_proj"), {matrix(1.0), 41}},
                      {moment_place(3, "down_proj", "de"), {matrix(0.5), 7}}},
                     {.model = "abc", .texts = "a.txt, b.txt", .notes = ""});
  }
  /// A file as ours, with one place "layers/0/qkv" that `fill` makes.
  void write_by_hand(const std::string& kind, const std::string& places,
                     const std::function<void(Hdf5File&)>& fill) {
    Hdf5File file = Hdf5File::create(path_);
    file.set_attribute("kind", kind);
    file.set_attribute("format_version", int64_t{1});
    for (const char* name : {"model", "texts", "notes"}) file.set_attribute(name, "");
    file.create_chunked("places", Hdf5Type::kUint8, {std::ssize(places)}, 64)
        .write(0, {reinterpret_cast<const uint8_t*>(places.data()), places.size()});
    file.create_group("layers");
    file.create_group("layers/0");
    fill(file);
    file.close();
  }

  test::TempFolder folder_;
  fs::path path_ = folder_.path() / "covariance.h5";
};

TEST_F(CovarianceFileTest, GivesBackWhatWasWritten) {
  write();

  const CovarianceFile file = CovarianceFile::open(path_);
  const SecondMoment all = file.read("layers/3/down_proj", kWidth);
  const SecondMoment german = file.read(moment_place(3, "down_proj", "de"));

  EXPECT_EQ(file.source().model, "abc");
  EXPECT_EQ(file.source().texts, "a.txt, b.txt");
  EXPECT_THAT(file.places(), ElementsAre("languages/de/layers/3/down_proj", "layers/3/down_proj"));
  EXPECT_TRUE(at::equal(all.mean, matrix(1.0)));
  EXPECT_EQ(all.tokens, 41);
  EXPECT_TRUE(at::equal(german.mean, matrix(0.5)));
  EXPECT_EQ(german.tokens, 7);
}

TEST_F(CovarianceFileTest, OfEqualContentHasEqualBytesAndReplacesAnother) {
  write();
  const std::string first = text_of_file(path_);
  std::ofstream(path_) << "another";
  std::ofstream(path_.string() + ".tmp") << "of a writer that was killed";

  write();

  EXPECT_EQ(text_of_file(path_), first);
  EXPECT_FALSE(fs::exists(path_.string() + ".tmp"));
}

TEST_F(CovarianceFileTest, HoldsManyPlaces) {
  SecondMomentsByPlace moments;
  for (int64_t layer = 0; layer < 3000; ++layer)
    moments[moment_place(layer, "down_proj", "de")] = {at::ones({1, 1}, at::kDouble), 1};

  write_covariance(path_, moments, {});

  EXPECT_EQ(CovarianceFile::open(path_).places().size(), 3000U);
}

TEST_F(CovarianceFileTest, ThatIsNotThereIsMissing) {
  EXPECT_THAT(message_of<MissingInputError>([&] { CovarianceFile::open(path_); }),
              HasSubstr("covariance.h5: expected a file of second moments, found none"));
}

TEST_F(CovarianceFileTest, OfOthersIsRefused) {
  std::ofstream(path_) << "no HDF5 at all";
  EXPECT_THAT(message_of<DataError>([&] { CovarianceFile::open(path_); }),
              HasSubstr("covariance.h5: HDF5: open"));

  fs::remove(path_);
  write_by_hand("a memory", "", [](Hdf5File&) {});
  EXPECT_THAT(message_of<DataError>([&] { CovarianceFile::open(path_); }),
              HasSubstr("expected a file of second moments, found a memory"));
}

TEST_F(CovarianceFileTest, WithoutAPlaceNamesThoseItHas) {
  write();
  const CovarianceFile file = CovarianceFile::open(path_);

  EXPECT_THAT(message_of<DataError>([&] { (void)file.read("layers/4/down_proj", kWidth); }),
              HasSubstr("expected layers/4/down_proj, found languages/de/layers/3/down_proj, "
                        "layers/3/down_proj"));
}

TEST_F(CovarianceFileTest, OfAnotherWidthIsRefused) {
  write();
  const CovarianceFile file = CovarianceFile::open(path_);

  const std::string refusal =
      "layers/3/down_proj: expected a matrix of width 40, found shape [300, 300]";
  EXPECT_THAT(message_of<DataError>([&] { (void)file.read("layers/3/down_proj", 40); }),
              HasSubstr(refusal));
  const std::vector<std::string> places{"languages/de/layers/3/down_proj", "layers/3/down_proj"};
  EXPECT_NO_THROW(file.check_has(places, kWidth));
  EXPECT_THAT(message_of<DataError>([&] { file.check_has(std::span(places).last(1), 40); }),
              HasSubstr(refusal));
}

TEST_F(CovarianceFileTest, WhoseValuesAreNotThoseOfTheirDigestIsRefused) {
  write_by_hand("second moments", "layers/0/qkv\n", [](Hdf5File& file) {
    Hdf5Dataset data = file.create_chunked("layers/0/qkv", Hdf5Type::kFloat64, {1, 1}, 1);
    const double value = 2.0;
    data.write(0, std::span(&value, 1));
    data.set_attribute("tokens", int64_t{3});
    data.set_attribute("sha256", std::string(64, 'a'));
  });
  const CovarianceFile file = CovarianceFile::open(path_);

  EXPECT_THAT(message_of<DataError>([&] { (void)file.read("layers/0/qkv"); }),
              HasSubstr("layers/0/qkv: expected values of SHA-256 aaaaaaaaaaaa over tokens, "
                        "found "));
}

TEST_F(CovarianceFileTest, ThatClaimsMoreThanItHoldsIsRefused) {
  write_by_hand("second moments", "layers/0/qkv\n", [](Hdf5File& file) {
    file.create_chunked("layers/0/qkv", Hdf5Type::kFloat64, {1 << 20, 1 << 20}, 1);
  });
  const CovarianceFile file = CovarianceFile::open(path_);

  EXPECT_THAT(message_of<DataError>([&] { (void)file.read("layers/0/qkv"); }),
              HasSubstr("layers/0/qkv: expected numbers of the right type that fit into the "
                        "file's "));
}

TEST_F(CovarianceFileTest, OfAnotherTypeOfNumbersIsRefused) {
  write_by_hand("second moments", "layers/0/qkv\n", [](Hdf5File& file) {
    file.create_chunked("layers/0/qkv", Hdf5Type::kFloat32, {1, 1}, 1);
  });
  const CovarianceFile file = CovarianceFile::open(path_);

  EXPECT_THAT(message_of<DataError>([&] { (void)file.read("layers/0/qkv"); }),
              HasSubstr("expected numbers of the right type"));
}

TEST_F(CovarianceFileTest, CutOffOrWithAFlippedBitIsReadRightOrRefused) {
  write();
  const std::string whole = text_of_file(path_);
  const auto read = [&] {
    const CovarianceFile file = CovarianceFile::open(path_);
    EXPECT_TRUE(at::equal(file.read("layers/3/down_proj", kWidth).mean, matrix(1.0)));
    EXPECT_TRUE(at::equal(file.read(moment_place(3, "down_proj", "de")).mean, matrix(0.5)));
  };
  int refused = 0;
  for (size_t at = 0; at < whole.size(); at += 1 + whole.size() / 13) {
    std::string changed = whole;
    changed[at] = static_cast<char>(changed[at] ^ 16);
    folder_.write("covariance.h5", changed);
    refused += message_of<DataError>(read) != "no error" ? 1 : 0;
    folder_.write("covariance.h5", whole.substr(0, at));
    EXPECT_NE(message_of<DataError>(read), "no error") << at;
  }
  EXPECT_GT(refused, 8);  // others lie where nothing is stored
}

}  // namespace
}  // namespace xkde
