#include "core/text/regex/regex.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/core/text/error_of.h"

namespace {

using namespace xkde;
using testing::ElementsAre;
using testing::HasSubstr;
using xkde::test::error_of;

std::vector<std::string> matches(const std::string& pattern, const std::string& text) {
  std::vector<std::string> found;
  for (const Span& span : Regex::pattern(pattern, "test").find_all(text)) {
    found.push_back(text.substr(span.begin, span.end - span.begin));
  }
  return found;
}

TEST(Regex, ClassesAreUnicodes) {
  EXPECT_THAT(matches(R"(\s)", "a\u0085b\u180ec\u3000"), ElementsAre("\u0085", "\u3000"));
  EXPECT_THAT(matches(R"([^\s\p{L}\p{N}]+)", "a-\u00a01\u20ac\u0301"),
              ElementsAre("-", "\u20ac\u0301"));
  EXPECT_THAT(matches(R"(\d+)", "12\u0663 \u00bd"), ElementsAre("12\u0663"));
  EXPECT_THAT(matches(R"(\w+)", "ab_\u0301 \u00bd-\u706f"),
              ElementsAre("ab_\u0301", "\u00bd", "\u706f"));
  EXPECT_THAT(matches(R"(\p{Han}\P{Han})", "\u706fa\u3001"), ElementsAre("\u706fa"));
  EXPECT_THAT(matches(R"(\p{^L})", "a1"), ElementsAre("1"));
  EXPECT_THAT(matches(R"((?i:'S))", "'s 'S '\u017f"), ElementsAre("'s", "'S", "'\u017f"));
}

TEST(Regex, AnchorsHoldAtEveryLineBreak) {
  EXPECT_THAT(matches("^a", "a\na ba"), ElementsAre("a", "a"));
  EXPECT_THAT(matches("a$", "a\na ba"), ElementsAre("a", "a"));
  EXPECT_THAT(matches(R"(\Aa|a\z)", "a\na\na"), ElementsAre("a", "a"));
  EXPECT_THAT(matches(R"(\bno\b)", "no know no"), ElementsAre("no", "no"));
}

TEST(Regex, EmptyMatchIsLeftOutWhereTheLastMatchEnded) {
  EXPECT_THAT(Regex::pattern("x*", "test").find_all("axb"),
              ElementsAre(Span{0, 0}, Span{1, 2}, Span{3, 3}));
}

TEST(Regex, PartitionCoversTheText) {
  const std::vector<Segment> segments = Regex::literal(".").partition("a.b..");

  std::string shape;
  for (const Segment& segment : segments) shape += segment.is_match ? '!' : '-';
  EXPECT_EQ(shape, "-!-!!");
  EXPECT_EQ(segments.back().span.end, 5U);
  EXPECT_TRUE(Regex::literal(".").partition("").empty());
}

TEST(Regex, ConstructsWithTwoMeaningsAreRefused) {
  const auto error = [](const std::string& pattern) {
    return error_of([&] { Regex::pattern(pattern, "f.json: here"); });
  };
  for (const char* const pattern :
       {R"([a&&b])", R"([a[bc]])", R"([])", R"(a(?i)b)", R"((?x)a)", R"(a{2}?)", R"(a{1,2}+)",
        R"(\X)", R"(\R)", R"(\1)", R"([\W])", R"(\pL)", R"((?<name>a))"}) {
    EXPECT_THAT(
        error(pattern),
        HasSubstr("DataError: f.json: here: expected a regular expression of the supported kind"))
        << pattern;
  }
  EXPECT_THAT(
      error("a)"),
      HasSubstr(
          "f.json: here: expected a regular expression, found unmatched closing parenthesis"));
  EXPECT_THAT(error(R"(\p{Nonsense})"),
              HasSubstr("f.json: here: expected a regular expression, found unknown property"));
  EXPECT_THAT(error("[ab"), HasSubstr("an unfinished construct"));
}

TEST(Regex, RunsOverLongTexts) {
  const std::string blanks(200000, ' ');

  EXPECT_EQ(matches(R"(\s+(?!\S)|\s+)", blanks + "x").size(), 2U);
  EXPECT_EQ(matches(R"((?:a|b)+)", std::string(200000, 'a')).size(), 1U);
}

}  // namespace
