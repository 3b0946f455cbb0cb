#include "core/editing/moments/published_moment.h"

#include <limits>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "tests/support/message_of.h"
#include "tests/support/npz_bytes.h"
#include "tests/support/temp_folder.h"

namespace xkde {
namespace {

using test::message_of;
using test::npy_of;
using test::raw;
using test::raw_all;
using testing::HasSubstr;

class PublishedMomentTest : public testing::Test {
 protected:
  std::filesystem::path write(const std::vector<float>& sum, int64_t count,
                              const std::string& shape = "(2, 2)") {
    return folder_.write("stats.npz",
                         test::zip_bytes({{"mom2.constructor.npy", "text"},
                                          {"mom2.count.npy", npy_of("<i8", "()", raw(count))},
                                          {"mom2.mom2.npy", npy_of("<f4", shape, raw_all(sum))}}));
  }
  std::string told(const std::filesystem::path& file) {
    return message_of<DataError>([&] { (void)read_published_moment(file, 2); });
  }
  test::TempFolder folder_;
};

TEST_F(PublishedMomentTest, IsTheSumOverTheCount) {
  const SecondMoment moment = read_published_moment(write({8, 2, 2, 4}, 4), 2);

  EXPECT_EQ(moment.tokens, 4);
  EXPECT_TRUE(at::equal(moment.mean, at::tensor({2.0, 0.5, 0.5, 1.0}, at::kDouble).view({2, 2})));
}

TEST_F(PublishedMomentTest, IsMadeSymmetricWhereFp32LeftItAlmostSo) {
  const at::Tensor mean = read_published_moment(write({8, 2, 2.0001F, 4}, 1), 2).mean;

  EXPECT_TRUE(at::equal(mean, mean.t()));
}

TEST_F(PublishedMomentTest, RefusesWhatCannotBeOne) {
  EXPECT_THAT(told(write({8, 2, 2, 4}, 0)),
              HasSubstr("stats.npz: mom2.count: expected a positive number, found 0"));
  EXPECT_THAT(told(write({8, 2, 7, 4}, 1)), HasSubstr("expected a symmetric matrix"));
  EXPECT_THAT(told(write({8, 2, 2, -4}, 1)), HasSubstr("expected a diagonal of sums of squares"));
  EXPECT_THAT(told(write({8, std::numeric_limits<float>::quiet_NaN(), 2, 4}, 1)),
              HasSubstr("expected finite numbers, found NaN or infinity"));
  EXPECT_THAT(told(write({8}, 1, "(1, 1)")), HasSubstr("expected shape [2, 2], found [1, 1]"));
  EXPECT_THAT(told(folder_.write("stats.npz", test::zip_bytes({}))),
              HasSubstr("expected an array mom2.count, found none"));
}

}  // namespace
}  // namespace xkde
