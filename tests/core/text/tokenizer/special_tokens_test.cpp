#include "core/text/tokenizer/special_tokens.h"

#include <gtest/gtest.h>

namespace xkde {
namespace {

/// Parts joined with '|', ids as "#7".
std::string shown(const SpecialTokens& tokens, std::string_view text) {
  std::string all;
  for (const SpecialTokens::Part& part : tokens.split(text)) {
    all.push_back('|');
    if (part.id) {
      all.append("#").append(std::to_string(*part.id));
    } else {
      all.append(part.text);
    }
  }
  return all;
}

TEST(SpecialTokens, AreFoundFromLeftToRightTheLongestFirst) {
  SpecialTokens tokens;
  tokens.add("<a>", 1);
  tokens.add("<a>b", 2);
  tokens.add("b<", 3);

  EXPECT_EQ(shown(tokens, "x<a>b<a>y"), "|x|#2|#1|y");
  EXPECT_EQ(shown(tokens, "b<a>"), "|#3|a>");
  EXPECT_EQ(shown(tokens, "plain"), "|plain");
  EXPECT_EQ(shown(tokens, ""), "");
  EXPECT_EQ(tokens.size(), 4);
}

TEST(SpecialTokens, OneThatTakesSpacesTakesThoseOnItsLeft) {
  SpecialTokens tokens;
  tokens.add("<m>", 5, /*takes_spaces=*/true);
  tokens.add("<n>", 6);

  EXPECT_EQ(shown(tokens, "x  <m> y <n>"), "|x|#5| y |#6");
  EXPECT_EQ(shown(tokens, " \n\u3000<m>"), "|#5");
}

}  // namespace
}  // namespace xkde
