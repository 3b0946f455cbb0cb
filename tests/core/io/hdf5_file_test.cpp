#include "core/io/hdf5_file.h"

#include <csignal>
#include <fstream>
#include <numeric>
#include <string>
#include <thread>
#include <type_traits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/base/error.h"
#include "tests/support/message_of.h"
#include "tests/support/values_of.h"

namespace xkde {
namespace {

namespace fs = std::filesystem;
using test::message_of;
using test::values_of;
using testing::HasSubstr;

static_assert(std::is_nothrow_move_constructible_v<Hdf5Handle>);
static_assert(std::is_nothrow_move_assignable_v<Hdf5Handle>);
static_assert(!std::is_copy_constructible_v<Hdf5Handle>);
static_assert(std::is_nothrow_move_constructible_v<Hdf5File>);

std::vector<float> numbers(size_t count, float first = 0) {
  std::vector<float> values(count);
  std::iota(values.begin(), values.end(), first);
  return values;
}

class Hdf5FileTest : public testing::Test {
 protected:
  Hdf5FileTest()
      : folder_(fs::temp_directory_path() / ("hdf5_file_test_" + std::to_string(::getpid()))) {
    fs::create_directories(folder_);
  }
  ~Hdf5FileTest() override { fs::remove_all(folder_); }
  fs::path folder_;
};

TEST_F(Hdf5FileTest, GivesBackRangesOfAFlatDataset) {
  const fs::path path = folder_ / "flat.h5";
  {
    Hdf5File file = Hdf5File::create(path);
    Hdf5Dataset dataset = file.create_flat("master", 1000);
    dataset.write(0, numbers(600));
    dataset.write(600, numbers(400, 600));
    file.close();
  }

  const Hdf5File file = Hdf5File::open(path);
  const Hdf5Dataset dataset = file.dataset("master");
  std::vector<float> part(3);
  dataset.read(599, part);

  EXPECT_EQ(dataset.shape(), std::vector<int64_t>{1000});
  EXPECT_EQ(values_of(dataset), numbers(1000));
  EXPECT_EQ(part, numbers(3, 599));
}

TEST_F(Hdf5FileTest, GivesBackRowsOfDoublesBitForBit) {
  const fs::path path = folder_ / "doubles.h5";
  const std::vector<double> values{1.0 / 3, -0.0, 1e300, 1 + 1e-15, 5e-324, 6};
  {
    Hdf5File file = Hdf5File::create(path);
    Hdf5Dataset dataset = file.create_chunked("mean", Hdf5Type::kFloat64, {3, 2}, 2);
    dataset.write(0, std::span(values).first(2));
    dataset.write(1, std::span(values).subspan(2));
    file.close();
  }

  const Hdf5File file = Hdf5File::open(path);
  const Hdf5Dataset dataset = file.dataset("mean");
  std::vector<double> read(4);
  dataset.read(1, read);

  EXPECT_EQ(dataset.shape(), (std::vector<int64_t>{3, 2}));
  EXPECT_EQ(read, std::vector<double>(values.begin() + 2, values.end()));
  EXPECT_TRUE(dataset.stores(Hdf5Type::kFloat64));
  EXPECT_FALSE(dataset.stores(Hdf5Type::kFloat32));
}

TEST_F(Hdf5FileTest, AllocatesFlatDatasetsAlignedAtOnce) {
  const fs::path path = folder_ / "aligned.h5";
  Hdf5File file = Hdf5File::create(path);

  const int64_t first = file.create_flat("a", 3000).file_offset();
  const int64_t second = file.create_flat("b", 3000).file_offset();
  file.close();

  EXPECT_EQ(first % 4096, 0);
  EXPECT_EQ(second % 4096, 0);
  EXPECT_GE(second, first + 12000);
  EXPECT_GE(static_cast<int64_t>(fs::file_size(path)), second + 12000);
}

TEST_F(Hdf5FileTest, GivesBackAttributes) {
  const fs::path path = folder_ / "attributes.h5";
  {
    Hdf5File file = Hdf5File::create(path);
    file.set_attribute("step", int64_t{1} << 40);
    file.set_attribute("name", "知识 edit");
    file.set_attribute("empty", "");
    file.create_flat("master", 1).set_attribute("sha256", "ab");
    file.close();
  }

  const Hdf5File file = Hdf5File::open(path);

  EXPECT_EQ(file.integer_attribute("step"), int64_t{1} << 40);
  EXPECT_EQ(file.string_attribute("name"), "知识 edit");
  EXPECT_EQ(file.string_attribute("empty"), "");
  EXPECT_EQ(file.dataset("master").string_attribute("sha256"), "ab");
}

TEST_F(Hdf5FileTest, ShowsBoxesOfOtherFilesAsOneDataset) {
  for (const int part : {0, 1}) {
    Hdf5File file = Hdf5File::create(folder_ / ("part" + std::to_string(part) + ".h5"));
    file.create_flat("flat", 8).write(0, numbers(8, static_cast<float>(10 * part)));
    file.close();
  }
  const fs::path path = folder_ / "whole.h5";
  {
    Hdf5File file = Hdf5File::create(path);
    file.create_group("master");
    file.create_virtual("master/w.weight", {3, 3},
                        {{"part0.h5", "flat", 8, 2, {0, 0}, {1, 3}},
                         {"part0.h5", "flat", 8, 5, {1, 0}, {1, 1}},
                         {"part1.h5", "flat", 8, 0, {1, 1}, {1, 2}}});
    file.close();
  }

  const Hdf5File file = Hdf5File::open(path);

  EXPECT_TRUE(file.has("master"));
  EXPECT_FALSE(file.has("exp_avg"));
  EXPECT_EQ(file.dataset("master/w.weight").shape(), (std::vector<int64_t>{3, 3}));
  const std::vector<float> values = values_of(file.dataset("master/w.weight"));
  EXPECT_EQ(std::vector<float>(values.begin(), values.begin() + 6),
            (std::vector<float>{2, 3, 4, 5, 10, 11}));
  for (size_t i = 6; i < 9; ++i) EXPECT_TRUE(std::isnan(values[i])) << i;  // no mapping

  fs::remove(folder_ / "part0.h5");
  const std::vector<float> rest = values_of(Hdf5File::open(path).dataset("master/w.weight"));
  for (size_t i = 0; i < 9; ++i) EXPECT_EQ(std::isnan(rest[i]), i != 4 && i != 5) << i;
}

TEST_F(Hdf5FileTest, ALinkIsASecondNameOfOneObject) {
  const fs::path path = folder_ / "linked.h5";
  {
    Hdf5File file = Hdf5File::create(path);
    file.create_flat("master", 8).write(0, numbers(8, 1));
    file.create_group("step-1");
    file.link("master", "step-1/master");
    file.close();
  }

  const Hdf5File file = Hdf5File::open(path);

  EXPECT_EQ(values_of(file.dataset("step-1/master")), numbers(8, 1));
  EXPECT_EQ(file.dataset("step-1/master").file_offset(), file.dataset("master").file_offset());
  EXPECT_TRUE(file.dataset("master").stores(Hdf5Type::kFloat32));
  EXPECT_FALSE(file.dataset("master").stores(Hdf5Type::kInt64));
  EXPECT_EQ(file.place(), path.string());
}

TEST_F(Hdf5FileTest, ThreadsUseFilesOfTheirOwn) {
  const auto write_and_read = [&](int number) {
    const std::vector<float> values = numbers(5000, static_cast<float>(number));
    for (int round = 0; round < 20; ++round) {
      const fs::path path = folder_ / concat(number, "_", round, ".h5");
      Hdf5File file = Hdf5File::create(path);
      file.create_flat("x", 5000).write(0, values);
      file.close();
      EXPECT_EQ(values_of(Hdf5File::open(path).dataset("x")), values);
      EXPECT_THROW(Hdf5File::open(path / "none"), CheckpointError);
    }
  };

  std::vector<std::jthread> threads;
  for (const int number : {1, 2, 3}) threads.emplace_back(write_and_read, number);
}

TEST_F(Hdf5FileTest, ReportsAForeignFileWithTheLibrarysInnermostReasonAlone) {
  const fs::path path = folder_ / "text.h5";
  std::ofstream(path) << "not HDF5 at all";

  EXPECT_EQ(message_of<CheckpointError>([&] { (void)Hdf5File::open(path); }),
            path.string() +
                ": HDF5: open: expected what the library can read, found \"file signature not "
                "found\"");
}

TEST_F(Hdf5FileTest, ReportsATruncatedFileInOneShortLine) {
  const fs::path path = folder_ / "cut.h5";
  Hdf5File file = Hdf5File::create(path);
  file.create_flat("master", 4000);
  file.close();
  fs::resize_file(path, fs::file_size(path) - 1000);

  const std::string message = message_of<CheckpointError>([&] { (void)Hdf5File::open(path); });

  EXPECT_THAT(message, testing::StartsWith(path.string() +
                                           ": HDF5: open: expected what the library can read, "
                                           "found \"truncated file: eof = "));
  EXPECT_THAT(message, testing::Not(HasSubstr("unable to open file")));
  EXPECT_LT(message.size(), path.string().size() + 200);
}

TEST_F(Hdf5FileTest, ReportsMissingPartsByName) {
  const fs::path path = folder_ / "small.h5";
  Hdf5File file = Hdf5File::create(path);
  file.create_flat("master", 4).set_attribute("n", 3);
  file.set_attribute("text", "t");
  file.close();
  const Hdf5File opened = Hdf5File::open(path);
  const Hdf5Dataset master = opened.dataset("master");
  std::vector<float> values(3);

  EXPECT_THAT(message_of<CheckpointError>([&] { (void)opened.dataset("exp_avg"); }),
              HasSubstr("small.h5: exp_avg: HDF5: open: "));
  EXPECT_THAT(message_of<CheckpointError>([&] { master.read(2, values); }),
              HasSubstr("small.h5: master: read of elements 2 to 5: expected a range of its 4"));
  EXPECT_THAT(message_of<CheckpointError>([&] { (void)master.string_attribute("n"); }),
              HasSubstr("attribute n: expected a string"));
  EXPECT_THAT(message_of<CheckpointError>([&] { (void)opened.integer_attribute("text"); }),
              HasSubstr("attribute text: expected an integer"));
  EXPECT_THAT(message_of<CheckpointError>([&] { (void)opened.integer_attribute("none"); }),
              HasSubstr("read attribute none"));
}

TEST_F(Hdf5FileTest, RefusesToWriteOutsideADataset) {
  Hdf5File file = Hdf5File::create(folder_ / "range.h5");
  Hdf5Dataset dataset = file.create_flat("x", 4);

  EXPECT_THAT(message_of<InternalError>([&] { dataset.write(3, numbers(2)); }),
              HasSubstr("write of elements 3 to 5"));
  EXPECT_THAT(message_of<InternalError>([&] { (void)file.create_flat("y", 0); }),
              HasSubstr("y: expected elements, found 0"));
}

TEST_F(Hdf5FileTest, RefusesToReplaceAFile) {
  std::ofstream(folder_ / "there.h5") << "old";

  EXPECT_THAT(message_of<IoError>([&] { (void)Hdf5File::create(folder_ / "there.h5"); }),
              HasSubstr("there.h5: HDF5: create: "));
  EXPECT_EQ(fs::file_size(folder_ / "there.h5"), 3U);
}

TEST_F(Hdf5FileTest, ReportsAFolderThatIsNotThere) {
  EXPECT_THAT(message_of<IoError>([] { (void)Hdf5File::create("/nowhere/x.h5"); }),
              HasSubstr("/nowhere/x.h5: HDF5: create: "));
}

/// Writes until no more fits; the process must then end in an orderly way (the library crashes at
/// exit where its handler was left in place).
void fill_disk(const fs::path& path) {
  std::signal(SIGXFSZ, SIG_IGN);
  const rlimit limit{.rlim_cur = 100000, .rlim_max = 100000};
  setrlimit(RLIMIT_FSIZE, &limit);
  const std::string message = message_of<IoError>([&] {
    Hdf5File file = Hdf5File::create(path);
    file.create_flat("x", 1000000).write(0, numbers(1000000));
    file.close();
  });
  if (message.find("File too large") == std::string::npos) _exit(1);
  std::exit(74);  // runs the handlers at exit
}

TEST_F(Hdf5FileTest, EndsInAnOrderlyWayWhenNothingMoreFits) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(fill_disk(folder_ / "full.h5"), testing::ExitedWithCode(74), "");
}

TEST_F(Hdf5FileTest, AskingForTheVersionFirstChangesNothingThere) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto act = [&] {
    (void)hdf5_version();  // in a process of its own, the first call of the library
    fill_disk(folder_ / "full.h5");
  };
  EXPECT_EXIT(act(), testing::ExitedWithCode(74), "");
}

}  // namespace
}  // namespace xkde
