#include "core/text/regex/unicode.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/io/json_file.h"
#include "core/text/regex/regex.h"

namespace {

using namespace xkde;

TEST(Unicode, FindsTheFirstIllFormedByte) {
  EXPECT_EQ(unicode::first_invalid_byte("a\u00e9\u706f\U0001f600"), std::string_view::npos);
  EXPECT_EQ(unicode::first_invalid_byte(std::string_view("\0", 1)), std::string_view::npos);
  EXPECT_EQ(unicode::first_invalid_byte("ab\x80"), 2U) << "a continuation alone";
  EXPECT_EQ(unicode::first_invalid_byte("\xC0\x80"), 0U) << "an overlong form";
  EXPECT_EQ(unicode::first_invalid_byte("\xE0\x80\x80"), 0U) << "an overlong form";
  EXPECT_EQ(unicode::first_invalid_byte("\xED\xB0\x80"), 0U) << "a surrogate";
  EXPECT_EQ(unicode::first_invalid_byte("x\xF4\x90\x80\x80"), 1U) << "beyond U+10FFFF";
  EXPECT_EQ(unicode::first_invalid_byte("abc\xE7\x81"), 3U) << "cut short";
}

/// Whether each character of [first, last] is in a class is as tests/golden/unicode_classes.json
/// has it from the `tokenizers` library.
template <typename Test>
void expect_class(const char* name, const Test& is_in_class) {
  static const Json kClasses = read_json_file(XKDE_SOURCE_DIR "/tests/golden/unicode_classes.json");
  std::vector<bool> expected(0x110000);
  for (const Json& range : kClasses.at(name)) {
    for (auto c = range[0].get<size_t>(); c <= range[1].get<size_t>(); ++c) expected[c] = true;
  }
  int64_t wrong = 0;
  char32_t first_wrong = 0;
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    if (c == 0xD800) c = 0xE000;
    if (is_in_class(c) == expected[c]) continue;
    if (wrong++ == 0) first_wrong = c;
  }
  EXPECT_EQ(wrong, 0) << name << ": the first is " << static_cast<uint32_t>(first_wrong);
}

TEST(Unicode, ClassesAreTheLibrarysOverAllCharacters) {
  expect_class("Digits", unicode::is_numeric);
  expect_class("Punctuation", unicode::is_punctuation);
  expect_class("WhitespaceSplit", unicode::is_whitespace);
}

TEST(Unicode, PatternsPutAllCharactersIntoTheLibrarysClasses) {
  std::string all;
  std::vector<char32_t> character_at;
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    if (c == 0xD800) c = 0xE000;
    character_at.resize(all.size() + 1, 0);
    character_at[all.size()] = c;
    unicode::append(all, c);
  }
  for (const char* name : {"L", "Lu", "Ll", "Lt", "Lm", "Lo", "M", "Mn", "Mc", "Me", "N", "Nd",
                           "Nl", "No", "P", "S", "Z"}) {
    std::vector<bool> found(0x110000);
    const Regex regex = Regex::pattern(std::string("\\p{") + name + "}", "test");
    for (const Span& span : regex.find_all(all)) found[character_at[span.begin]] = true;

    expect_class(name, [&](char32_t c) { return static_cast<bool>(found[c]); });
  }
}

TEST(Unicode, StandInsHaveAsManyBytes) {
  const std::string text =
      "a\U0002EBF0b\u1C89\u4E2D";  // an ideograph and a capital of Unicode 15.1, 16

  EXPECT_TRUE(unicode::has_additions(text));
  EXPECT_EQ(unicode::with_stand_ins(text).size(), text.size());
  EXPECT_FALSE(unicode::has_additions(unicode::with_stand_ins(text)));
  EXPECT_FALSE(unicode::has_additions("a\u4E2D\U0001F600"));
}

TEST(Unicode, EveryCharacterSurvivesWritingAndReading) {
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    if (c == 0xD800) c = 0xE000;
    std::string text;
    unicode::append(text, c);
    size_t position = 0;
    ASSERT_EQ(unicode::next(text, position), c);
    ASSERT_EQ(position, text.size());
  }
}

TEST(Unicode, ReplacesEachMaximalIllFormedPartOnce) {
  const std::string mark = "\uFFFD";

  EXPECT_EQ(unicode::replace_ill_formed("a\xE7\x81z"), "a" + mark + "z");
  EXPECT_EQ(unicode::replace_ill_formed("\xC0\xAF"), mark + mark);
  EXPECT_EQ(unicode::replace_ill_formed("\xF0\x9F\x98"), mark);
  EXPECT_EQ(unicode::replace_ill_formed("\xED\xA0\x80"), mark + mark + mark);
  EXPECT_EQ(unicode::replace_ill_formed("\xE7\x81\xE7\x81\xAF"), mark + "\u706f");
}

TEST(Unicode, ClassesAreTheLibrarys) {
  EXPECT_TRUE(unicode::is_whitespace(0x85) && unicode::is_whitespace(0x3000));
  EXPECT_FALSE(unicode::is_whitespace(0x180E) || unicode::is_whitespace(0x200B));
  EXPECT_TRUE(unicode::is_numeric(0xBD) && unicode::is_numeric(0x2160) &&
              unicode::is_numeric(0x0663));
  EXPECT_FALSE(unicode::is_numeric(0x4E00));
  EXPECT_TRUE(unicode::is_punctuation('$') && unicode::is_punctuation(0x3002));
  EXPECT_FALSE(unicode::is_punctuation(0x20AC) || unicode::is_punctuation(0x2E43));
  EXPECT_TRUE(unicode::is_word('_') && unicode::is_word(0x0301) && unicode::is_word(0x200D));
  EXPECT_FALSE(unicode::is_word('-') || unicode::is_word(0xBD));
  EXPECT_TRUE(unicode::is_mark(0x0301) && unicode::is_mark(0x0E31) && !unicode::is_mark('a'));
}

TEST(Unicode, LowercaseIsFullAndFreeOfContext) {
  std::string text;
  for (const char32_t c : {U'A', U'\u0130', U'\u03A3', U'\u1E9E', U'\u212A'})
    unicode::append_lowercase(text, c);

  EXPECT_EQ(text, "ai\u0307\u03c3\u00dfk");
}

}  // namespace
