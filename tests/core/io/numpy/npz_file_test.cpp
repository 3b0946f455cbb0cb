#include "core/io/numpy/npz_file.h"

#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/io/file.h"
#include "tests/support/message_of.h"
#include "tests/support/npz_bytes.h"
#include "tests/support/temp_folder.h"

namespace xkde {
namespace {

namespace fs = std::filesystem;
using test::message_of;
using test::npy_of;
using test::raw;
using test::raw_all;
using test::zip_bytes;
using test::ZipForm;
using testing::ElementsAre;
using testing::HasSubstr;

const std::vector<float> kNumbers{1.5F, -2.0F, 3.25F, 4.0F, 5.0F, 6.0F};

class NpzFileTest : public testing::Test {
 protected:
  /// What reading [2, 3] of the array `name` says.
  std::string told(const std::string& bytes, const std::string& name = "a") {
    const fs::path path = folder_.write("a.npz", bytes);
    return message_of<DataError>([&] { (void)values_of(path, name); });
  }
  static std::vector<double> values_of(const fs::path& path, const std::string& name) {
    std::vector<double> values(6);
    NpzFile::open(path).read(name, {2, 3}, values);
    return values;
  }
  static std::string bytes_of(ZipForm form = {}) {
    return zip_bytes({{"a.npy", npy_of("<f4", "(2, 3)", raw_all(kNumbers))},
                      {"n.npy", npy_of("<i8", "()", raw(int64_t{7}))},
                      {"other.txt", "text"}},
                     form);
  }
  test::TempFolder folder_;
};

TEST_F(NpzFileTest, GivesNumbersOfEveryForm) {
  for (const bool deflates : {false, true}) {
    for (const bool is_wide : {false, true}) {
      const fs::path path =
          folder_.write("a.npz", bytes_of({.deflates = deflates, .is_wide = is_wide}));
      const NpzFile file = NpzFile::open(path);

      EXPECT_THAT(file.names(), ElementsAre("a", "n"));
      EXPECT_EQ(values_of(path, "a"), std::vector<double>(kNumbers.begin(), kNumbers.end()));
      EXPECT_EQ(file.read_integer("n"), 7);
      EXPECT_TRUE(file.has("a"));
      EXPECT_FALSE(file.has("other"));
    }
  }
}

TEST_F(NpzFileTest, ReadsWhatNumPyWrites) {
  for (const char* name : {"savez.npz", "savez_compressed.npz"}) {
    const NpzFile file = NpzFile::open(fs::path(XKDE_SOURCE_DIR) / "tests/fuzz/corpus/npz" / name);
    std::vector<double> values(9);
    file.read("mom2.mom2", {3, 3}, values);

    EXPECT_THAT(values, ElementsAre(14, 5, 2, 5, 9, 1, 2, 1, 4));
    EXPECT_EQ(file.read_integer("mom2.count"), 4);
  }
}

TEST_F(NpzFileTest, GivesDoublesAndArraysOfManyPieces) {
  std::vector<double> many(200'000);
  for (size_t i = 0; i < many.size(); ++i) many[i] = static_cast<double>(i) / 3;
  const std::string bytes =
      zip_bytes({{"a.npy", npy_of("<f8", "(200000,)", raw_all(many))}}, {.deflates = true});
  const NpzFile file = NpzFile::open(folder_.write("a.npz", bytes));
  std::vector<double> values(many.size());

  file.read("a", {200'000}, values);

  EXPECT_EQ(values, many);
}

TEST_F(NpzFileTest, ThatIsNotThereIsMissing) {
  EXPECT_THAT(message_of<MissingInputError>([&] { NpzFile::open(folder_.path() / "none.npz"); }),
              HasSubstr("none.npz"));
}

TEST_F(NpzFileTest, RefusesWhatIsNoSuchFile) {
  EXPECT_THAT(told("text"), HasSubstr("a.npz: expected a zip file of arrays (.npz), found no end"));
  EXPECT_THAT(told(""), HasSubstr("found no end of one"));
  EXPECT_THAT(told(zip_bytes({{"b.npy", "x"}})), HasSubstr("expected an array a, found b"));
  EXPECT_THAT(told(zip_bytes({})), HasSubstr("expected an array a, found none"));
  EXPECT_THAT(told(zip_bytes({{"a.npy", "no array at all"}})),
              HasSubstr("a.npz: a: expected an array of NumPy's format 1 to 3"));
  EXPECT_THAT(told(zip_bytes({{"a.npy", "x"}, {"a.npy", "y"}})),
              HasSubstr("a: expected one array of this name, found another"));
}

TEST_F(NpzFileTest, RefusesArraysOfAnotherShapeTypeOrOrder) {
  const auto told_of = [&](const std::string& npy) { return told(zip_bytes({{"a.npy", npy}})); };
  const std::string values = raw_all(kNumbers);

  EXPECT_THAT(told_of(npy_of("<f4", "(3, 2)", values)),
              HasSubstr("a: expected shape [2, 3], found [3, 2]"));
  EXPECT_THAT(told_of(npy_of("<f2", "(2, 3)", values)),
              HasSubstr("a: expected numbers of type <f4 or <f8, found <f2"));
  EXPECT_THAT(told_of(npy_of("<f4", "(2, 3)", values.substr(1))),
              HasSubstr("a: expected 24 more bytes, found 23"));
  EXPECT_THAT(told_of(npy_of("<f4", "(2, 3)", values + "x")), HasSubstr("a: expected "));
  EXPECT_THAT(
      told_of(test::npy_bytes("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3)}", values)),
      HasSubstr("expected rows one behind the other (C order)"));
  EXPECT_THAT(told_of(test::npy_bytes("{'descr': [('x', '<f4')]}", values)),
              HasSubstr("a: header: expected ', found other text"));
  EXPECT_THAT(told_of(test::npy_bytes("{'descr': '<f4'}", values)),
              HasSubstr("a: header: expected descr and shape, found its end"));
  EXPECT_THAT(told_of(npy_of("<f4", "(2, 9999999999999)", values)),
              HasSubstr("a: header: expected a shape"));
}

TEST_F(NpzFileTest, RefusesOneNumberOfAnotherType) {
  const fs::path path = folder_.write(
      "a.npz", zip_bytes({{"n.npy", npy_of("<f8", "()", raw(7.0))},
                          {"many.npy", npy_of("<i8", "(2,)", raw(int64_t{7}) + raw(int64_t{8}))},
                          {"short.npy", npy_of("<i4", "()", raw(int32_t{-7}))}}));
  const NpzFile file = NpzFile::open(path);

  EXPECT_THAT(message_of<DataError>([&] { (void)file.read_integer("n"); }),
              HasSubstr("n: expected one number of type <i8 or <i4, found <f8 []"));
  EXPECT_THAT(message_of<DataError>([&] { (void)file.read_integer("many"); }),
              HasSubstr("found <i8 [2]"));
  EXPECT_EQ(file.read_integer("short"), -7);
}

TEST_F(NpzFileTest, RefusesAMemberThatWouldGrowBeyondDeflate) {
  std::string bytes = bytes_of({.deflates = true});
  const size_t size_at = bytes.find("PK\1\2") + 24;
  bytes.replace(size_at, 4, raw(uint32_t{0x7FFFFFFF}));

  EXPECT_THAT(told(bytes), HasSubstr("a: expected at most "));
}

TEST_F(NpzFileTest, FlippedBitsAreFoundOrChangeNothing) {
  for (const bool deflates : {false, true}) {
    const std::string whole = bytes_of({.deflates = deflates});
    const std::vector<double> expected(kNumbers.begin(), kNumbers.end());
    for (size_t at = 0; at < whole.size(); at += 3) {
      std::string changed = whole;
      changed[at] = static_cast<char>(changed[at] ^ 4);
      const fs::path path = folder_.write("a.npz", changed);
      try {
        EXPECT_EQ(values_of(path, "a"), expected) << at;
      } catch (const DataError&) {
      }
    }
    for (size_t count = 0; count < whole.size(); count += 5)
      EXPECT_NE(told(whole.substr(0, count)), "no error") << count;
  }
}

}  // namespace
}  // namespace xkde
