#include "core/metrics/normalized_answer.h"

#include <vector>

#include <gtest/gtest.h>

namespace xkde {
namespace {

struct Case {
  const char* answer;
  const char* iso;
  const char* expected;
};

TEST(NormalizedAnswer, TakesAwayWhatMakesNoOtherAnswer) {
  const Case cases[] = {
      {" The  Nordhaven-Institute. ", "en", "nordhaven institute"},
      {"The", "en", "the"},
      {"theatre", "en", "theatre"},
      {"the the", "en", "the"},
      {"Die Brücke", "de", "brücke"},
      {"L'Étoile", "fr", "étoile"},
      {"El Niño", "es", "niño"},
      {"O rio", "pt", "rio"},
      {"Het huis", "nl", "huis"},
      {"die Brücke", "en", "die brücke"},
      {"Ústí nad Labem", "cs", "ústí nad labem"},
      {"DİYARBAKIR", "tr", "diyarbakır"},
      {"İzmir", "tr", "izmir"},
      {"Hà Nội", "vi", "hà nội"},
      {"Hà Nội", "vi", "hà nội"},  // the same, decomposed
      {"北港 研究所。", "zh", "北港研究所"},
      {"ＡＢＣ１２", "zh", "abc12"},
      {"พ.ศ. ๒๕๔๙", "th", "พศ2549"},
      {"Река Лена", "ru", "река лена"},
      {"e\u0301tude\u200b", "fr", "étude"},
      {"$5.50!", "en", "5 50"},
      {"...", "en", ""},
      {"", "en", ""},
  };
  for (const Case& one : cases)
    EXPECT_EQ(normalized_answer(one.answer, one.iso), one.expected) << one.answer << one.iso;
}

TEST(MatchesAny, AnyRightAnswerWillDo) {
  const std::vector<std::string> right{"Meuse", "Maas"};
  EXPECT_TRUE(matches_any("the maas.", right, "en"));
  EXPECT_FALSE(matches_any("the maas river", right, "en"));
}

TEST(MatchesAny, NothingIsNeverRight) {
  EXPECT_FALSE(matches_any(" .", std::vector<std::string>{"!"}, "en"));
  EXPECT_FALSE(matches_any("x", {}, "en"));
}

TEST(ContainsAny, FindsWholeWordsOrPiecesWhereNoBlanksAreWritten) {
  const std::vector<std::string> right{"New York"};
  EXPECT_TRUE(contains_any("It is New-York!", right, "en"));
  EXPECT_FALSE(contains_any("It is New Yorkshire", right, "en"));
  EXPECT_TRUE(contains_any("เมืองหลวงคือกรุงเทพ", std::vector<std::string>{"กรุงเทพ"}, "th"));
  EXPECT_TRUE(contains_any("それは東京です", std::vector<std::string>{"東京"}, "ja"));
  EXPECT_FALSE(contains_any("anything", std::vector<std::string>{"."}, "en"));
  EXPECT_FALSE(contains_any("", right, "en"));
}

TEST(WordF1, CountsWordsAsOftenAsBothHaveThem) {
  EXPECT_DOUBLE_EQ(word_f1("The cat sat", "a cat", "en"), 2.0 / 3.0);
  EXPECT_DOUBLE_EQ(word_f1("no no no", "no", "en"), 0.5);
  EXPECT_DOUBLE_EQ(word_f1("罗马", "罗 马", "zh"), 1.0);
  EXPECT_DOUBLE_EQ(word_f1("东京", "北京", "zh"), 0.5);
  EXPECT_EQ(word_f1("", "x", "en"), 0.0);
  EXPECT_EQ(word_f1("!", ".", "en"), 1.0);
}

}  // namespace
}  // namespace xkde
