#include "core/io/json_file.h"

#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"

namespace xkde {
namespace {

std::string error_of(const std::string& text, JsonLimits limits = {}) {
  try {
    parse_json(text, "file.json", limits);
  } catch (const DataError& error) {
    return error.what();
  }
  return "no error";
}

TEST(JsonFile, KeepsValuesAndTheOrderOfKeys) {
  const Json json =
      parse_json(R"({"b": [1, -2, 3.5, true, null], "a": {"c": "\u00e9\ud83d\ude00"}})", "x");

  EXPECT_EQ(json.dump(), "{\"b\":[1,-2,3.5,true,null],\"a\":{\"c\":\"é😀\"}}");
}

TEST(JsonFile, AcceptsAByteOrderMarkAndCrLf) {
  EXPECT_EQ(parse_json("\xEF\xBB\xBF[1,\r\n2]\r\n", "x").size(), 2U);
}

TEST(JsonFile, NamesThePlaceOfEveryMistake) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "file.json: expected JSON, found an empty file"},
      {" \r\n", "file.json: expected JSON, found an empty file"},
      {"{\"a\": 1,\n \"a\": 2}", "duplicate key \"a\""},
      {"[1] x", "file.json:1:5: "},
      {"[1, 2", "file.json:1:"},
      {"[1,\n 2,\n @]", "file.json:3:2: "},
      {"[\"a\xFF\"]", "file.json:1:4: expected UTF-8, found an invalid byte"},
      {"[\"\xC0\x80\"]", "expected UTF-8"},
      {"[\"\xED\xA0\x80\"]", "expected UTF-8"},
      {"[\"\\ud800\"]", "file.json:1:"},
      {"[1e999]", "1e999"},
      {"[01]", "file.json:1:"},
      {"[\"a\nb\"]", "file.json:1:"},
      {"{'a': 1}", "file.json:1:2: "},
  };
  for (const auto& [text, expected] : cases) {
    EXPECT_THAT(error_of(text), testing::HasSubstr(expected)) << text;
  }
}

TEST(JsonFile, LimitsDepthAndSize) {
  const std::string deep = std::string(100000, '[') + std::string(100000, ']');

  EXPECT_THAT(error_of(deep), testing::HasSubstr("expected at most 64 nested levels"));
  EXPECT_THAT(error_of("[1, 2, 3]", {.max_bytes = 5}), testing::HasSubstr("at most 5 bytes"));
  EXPECT_EQ(error_of("[[[]]]", {.max_depth = 3}), "no error");
  EXPECT_NE(error_of("[[[[]]]]", {.max_depth = 3}), "no error");
}

TEST(JsonFile, AMissingFileIsMissingInput) {
  EXPECT_THROW(read_json_file("/nonexistent/x.json"), MissingInputError);
}

}  // namespace
}  // namespace xkde
