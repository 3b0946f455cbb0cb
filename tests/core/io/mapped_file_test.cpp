#include "core/io/mapped_file.h"

#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_folder.h"

namespace xkde {
namespace {

using test::message_of;
using testing::HasSubstr;

static_assert(std::is_nothrow_move_constructible_v<MappedFile>);
static_assert(std::is_nothrow_move_assignable_v<MappedFile>);
static_assert(!std::is_copy_constructible_v<MappedFile>);

std::string_view text_of(const MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

TEST(MappedFile, ShowsTheWholeFile) {
  const test::TempFolder folder;
  const std::string text(100000, 'x');

  const MappedFile file(folder.write("f", text));

  EXPECT_EQ(text_of(file), text);
}

TEST(MappedFile, WhatIsForgottenIsReadAgain) {
  const test::TempFolder folder;
  const std::string text(100000, 'x');
  const MappedFile file(folder.write("f", text));

  file.forget(file.bytes());
  file.forget(file.bytes().subspan(5000, 70000));

  EXPECT_EQ(text_of(file), text);
}

TEST(MappedFile, MovesTakeTheMemoryAlong) {
  const test::TempFolder folder;
  MappedFile one(folder.write("one", "1"));
  MappedFile two(folder.write("two", "22"));

  MappedFile moved(std::move(one));
  two = std::move(moved);

  EXPECT_EQ(text_of(two), "1");
  EXPECT_TRUE(one.bytes().empty());  // NOLINT(bugprone-use-after-move): that is the claim
}

TEST(MappedFile, NamesWhatItCannotMap) {
  const test::TempFolder folder;

  EXPECT_THAT(message_of<MissingInputError>([&] { MappedFile file(folder.path() / "none"); }),
              HasSubstr("none: expected a file, found No such file"));
  EXPECT_THAT(message_of<DataError>([&] { MappedFile file(folder.write("empty", "")); }),
              HasSubstr("empty: expected data, found an empty file"));
  EXPECT_THAT(message_of<DataError>([&] { MappedFile file(folder.path()); }),
              HasSubstr(": expected a regular file, found something else"));
}

}  // namespace
}  // namespace xkde
