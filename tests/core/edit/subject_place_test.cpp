#include "core/edit/subject_place.h"

#include <optional>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "tests/support/message_of.h"

namespace xkde {
namespace {

using testing::HasSubstr;

/// "kind: what the prompt has there", or "none".
std::string found(const std::string& prompt, const std::string& subject, const char* language) {
  const std::optional<SubjectPlace> place = find_subject(prompt, subject, language_of(language));
  if (!place) return "none";
  return concat(name_of(kSubjectMatchNames, place->match), ": ",
                prompt.substr(place->begin, place->end - place->begin));
}

size_t begin_of(const std::string& prompt, const std::string& subject, const char* language) {
  return find_subject(prompt, subject, language_of(language))->begin;
}

TEST(SubjectPlace, IsTheFirstExactOneInEveryLanguage) {
  EXPECT_EQ(find_subject("Who drew Ada Pell, Ada Pell?", "Ada Pell", language_of("en")),
            (SubjectPlace{9, 17, SubjectMatch::kExact}));
  EXPECT_EQ(found("Wer entwarf die Möwenbrücke?", "Möwenbrücke", "de"), "exact: Möwenbrücke");
  EXPECT_EQ(found("Který Žlutý maják svítí?", "Žlutý maják", "cs"), "exact: Žlutý maják");
  EXPECT_EQ(found("Waar ligt de Oude IJbrug?", "Oude IJbrug", "nl"), "exact: Oude IJbrug");
  EXPECT_EQ(found("¿Dónde está Peña Gris?", "Peña Gris", "es"), "exact: Peña Gris");
  EXPECT_EQ(found("Où se trouve l'Été Bleu?", "Été Bleu", "fr"), "exact: Été Bleu");
  EXPECT_EQ(found("Quem fundou a São Gaivota?", "São Gaivota", "pt"), "exact: São Gaivota");
  EXPECT_EQ(found("Где стоит Серый маяк?", "Серый маяк", "ru"), "exact: Серый маяк");
  EXPECT_EQ(found("ประภาคารมาร์โลอยู่ที่ไหน", "มาร์โล", "th"), "exact: มาร์โล");
  EXPECT_EQ(found("Işıklı Köprü'nün mimarı kim?", "Işıklı Köprü", "tr"), "exact: Işıklı Köprü");
  EXPECT_EQ(found("Đường Mới ở đâu?", "Đường Mới", "vi"), "exact: Đường Mới");
  EXPECT_EQ(found("谁建造了诺德港灯塔？", "诺德港", "zh"), "exact: 诺德港");
  EXPECT_EQ(found("カモメ灯台はどこですか", "カモメ灯台", "ja"), "exact: カモメ灯台");
}

TEST(SubjectPlace, IsAWholeWordBeforeAPieceOfOne) {
  EXPECT_EQ(begin_of("Did Marlowe meet Marlo?", "Marlo", "en"), 17U);
  EXPECT_EQ(begin_of("在BYDX旁边的BYD是什么", "BYD", "zh"), std::string("在BYDX旁边的").size());
}

TEST(SubjectPlace, IsNeverAFragment) {
  EXPECT_EQ(found("Who eats a banana?", "Ana", "en"), "none");
  EXPECT_EQ(found("Where is Anatolia?", "Ana", "en"), "none") << "too long for an ending";
  EXPECT_EQ(found("Wo liegt Nordberlin?", "Berlin", "de"), "none");
  EXPECT_EQ(found("BYDX是什么公司", "BYD", "zh"), "none");
  EXPECT_EQ(found("น้ำค้าง", "น", "th"), "none") << "a letter without its vowel";
  EXPECT_EQ(found("Qui a vu Te\u0301?", "Te", "fr"), "none") << "a letter without its accent";
  EXPECT_EQ(found("Wer aß?", "as", "de"), "none") << "half of a letter that folds to two";
}

TEST(SubjectPlace, MayDifferInCase) {
  EXPECT_EQ(found("Kdo postavil žlutý maják?", "Žlutý maják", "cs"), "other_case: žlutý maják");
  EXPECT_EQ(found("Wer malte die STRASSE?", "Straße", "de"), "other_case: STRASSE");
  EXPECT_EQ(found("Кто видел серый маяк?", "Серый Маяк", "ru"), "other_case: серый маяк");
  EXPECT_EQ(found("Πού είναι ο ΦΑΡΟΣ;", "Φάρος", "el"), "none") << "an accent is no case";
  EXPECT_EQ(found("Πού είναι ο ΦΑΡΟΣ;", "Φαρος", "el"), "other_case: ΦΑΡΟΣ") << "final sigma";
}

TEST(SubjectPlace, FoldsTheDotOfIByLanguage) {
  EXPECT_EQ(found("Kim IŞIKLI KİTAP yazdı?", "ışıklı kitap", "tr"), "other_case: IŞIKLI KİTAP");
  EXPECT_EQ(found("Kim IŞIKLI KİTAP yazdı?", "ışıklı kitap", "az"), "other_case: IŞIKLI KİTAP");
  EXPECT_EQ(found("Kim IŞIK yazdı?", "işik", "tr"), "none");
  EXPECT_EQ(found("Wer druckte den TITEL?", "Titel", "de"), "other_case: TITEL");
}

TEST(SubjectPlace, MayDifferInSpelling) {
  const char* const kinds[][3] = {
      {"Qui a vu le Pont de l\u2019Été?", "Pont de l'Été", "Pont de l\u2019Été"},
      {"Qui a vu l'E\u0301te\u0301?", "l'Été", "l'E\u0301te\u0301"},
      {"Qui a vu le Pont\u00a0 Neuf?", "Pont Neuf", "Pont\u00a0 Neuf"},
      {"Who wrote \u201cSo \u2018It\u2019 Is\u201d?", "So 'It' Is", "So \u2018It\u2019 Is"},
      {"Who saw the ﬁne ＴＯＷＥＲ?", "Fine Tower", "ﬁne ＴＯＷＥＲ"},
      {"Who kept Marlo 1907\u20131911?", "Marlo 1907-1911", "Marlo 1907\u20131911"},
      {"Who kept Nord\u00adhaven?", "Nordhaven", "Nord\u00adhaven"},
      {"Who filmed Shake the Tree?", "\u00abShake the Tree!\u00bb", "Shake the Tree"},
  };
  for (const auto& [prompt, subject, there] : kinds)
    EXPECT_EQ(found(prompt, subject, "fr"), concat("other_spelling: ", there));
  EXPECT_EQ(found("ใครอยู่ที่น\u0e49\u0e4d\u0e32ค้าง", "น\u0e49\u0e33ค้าง", "th"),
            "other_spelling: น\u0e49\u0e4d\u0e32ค้าง");
  EXPECT_EQ(found("Who wrote in C?", "C++", "en"), "none") << "one letter is no name";
}

TEST(SubjectPlace, MayLackBlanksOrHaveMore) {
  EXPECT_EQ(found("约翰 史密斯住在哪里？", "约翰史密斯", "zh"), "without_blanks: 约翰 史密斯");
  EXPECT_EQ(found("พ่อของลูเครเซียบอร์เจียคือใคร", "ลูเครเซีย บอร์เจีย", "th"),
            "without_blanks: ลูเครเซียบอร์เจีย");
  EXPECT_EQ(found("カモメ 灯台はどこ", "カモメ灯台", "ja"), "without_blanks: カモメ 灯台");
  EXPECT_EQ(found("Wo liegt der Marlo Nationalpark?", "Marlo National Park", "de"),
            "without_blanks: Marlo Nationalpark");
  EXPECT_EQ(found("Was there a chair in it?", "herea", "en"), "none") << "inside words";
}

TEST(SubjectPlace, EndsBeforeAnEndingBehindTheWholeSubject) {
  EXPECT_EQ(found("Çağlayan Gözlemevinde kim çalıştı?", "Çağlayan Gözlemevi", "tr"),
            "inflected: Çağlayan Gözlemevi");
  EXPECT_EQ(found("In welchem Jahr wurde Nordhavens Hafen gebaut?", "Nordhaven", "de"),
            "inflected: Nordhaven");
  EXPECT_EQ(found("Kdo zná Olgu a kde bydlí Pavel Nováka?", "Pavel Novák", "cs"),
            "inflected: Pavel Novák");
  EXPECT_EQ(found("Kuka asui Nordhavenissa?", "Nordhaven", "fi"), "inflected: Nordhaven");
  EXPECT_EQ(found("모래등대는 어디에 있습니까?", "모래등대", "ko"), "inflected: 모래등대");
  EXPECT_EQ(found("서울은 어디에 있습니까?", "서울", "ko"), "inflected: 서울");
}

TEST(SubjectPlace, HoldsTheWordsAsThePromptInflectsThem) {
  EXPECT_EQ(found("Kde se narodila dcera Bohumily Křišťálové?", "Bohumila Křišťálová", "cs"),
            "inflected: Bohumily Křišťálové");
  EXPECT_EQ(found("Co viděl u Martina Paula?", "Martin Paul", "cs"), "inflected: Martina Paula");
  EXPECT_EQ(found("Где дом Ольги Маячной, 12?", "Ольга Маячная, 12", "ru"),
            "inflected: Ольги Маячной, 12");
  EXPECT_EQ(found("Кто автор «Серой Чайки»?", "Серая чайка", "ru"), "inflected: Серой Чайки");
  EXPECT_EQ(found("Wer regierte in den Vereinigten Inseln?", "Vereinigte Inseln", "de"),
            "inflected: Vereinigten Inseln");
  EXPECT_EQ(found("Что сделал Джорджа Марло (1611-1680)?", "Джордж Марло (1611-1680)", "ru"),
            "inflected: Джорджа Марло (1611-1680)")
      << "with the marks behind it";
  EXPECT_EQ(found("Kdo zná Marii, Marinu či Marlu?", "Marla", "cs"), "inflected: Marlu")
      << "most letters alike";
}

TEST(SubjectPlace, DoesNotGuessBeyondEndings) {
  EXPECT_EQ(found("Kdo zná Marinu?", "Mirka", "cs"), "none");
  EXPECT_EQ(found("Где стоит старый парк?", "Паркур", "ru"), "none") << "one word, another stem";
  EXPECT_EQ(found("Кто видел в полном тумане?", "В полночь", "ru"), "none") << "one long word";
  EXPECT_EQ(found("Kde je tým Öze?", "Öz", "cs"), "none") << "shorter than three letters";
  EXPECT_EQ(found("Kdo zná Pavla z Marla?", "Pavel Marlo", "cs"), "none") << "not adjacent";
  EXPECT_EQ(found("Kdo zná Marlu Olgu?", "Olga Marla", "cs"), "none") << "another order";
  EXPECT_EQ(found("Kdo zná Pavla, Marla?", "Pavel Marlo", "cs"), "none") << "other marks between";
  EXPECT_EQ(found("Что видели на Маяке 1912?", "Маяк 1911", "ru"), "none") << "numbers";
  EXPECT_EQ(found("伊维察在哪个国家？", "Ivica", "zh"), "none") << "another script";
  EXPECT_EQ(found("Who drew the bridge?", "Ada Pell", "en"), "none");
}

TEST(SubjectPlace, IsNoneOfAnEmptySubject) {
  EXPECT_EQ(found("Who?", "", "en"), "none");
  EXPECT_EQ(found("Who?", " \u00a0\n", "en"), "none");
  EXPECT_EQ(found("", "Ada", "en"), "none");
  EXPECT_EQ(found("Who?", "\u00ad", "en"), "none") << "without width";
  EXPECT_EQ(found("Who? ?!", "!?", "en"), "none") << "marks alone";
}

TEST(SubjectPlace, LeavesOuterWhiteSpaceOfTheSubjectAway) {
  EXPECT_EQ(found("Who drew Ada Pell?", " Ada Pell\n", "en"), "exact: Ada Pell");
}

TEST(SubjectPlace, OfBytesThatAreNoTextIsADataError) {
  const Language& english = language_of("en");
  EXPECT_EQ(test::message_of<DataError>([&] { find_subject("Who\xff?", "Who", english); }),
            "prompt: expected UTF-8, found other bytes at offset 3");
  EXPECT_EQ(test::message_of<DataError>([&] { find_subject("Who?", "\xc3", english); }),
            "subject: expected UTF-8, found other bytes at offset 0");
}

TEST(FindWhole, GoesFromPlaceToPlace) {
  const std::string text = "Marlowe, Marlo or Marlo";
  const Language& english = language_of("en");
  EXPECT_EQ(find_whole(text, "Marlo", english), 9U);
  EXPECT_EQ(find_whole(text, "Marlo", english, 10), 18U);
  EXPECT_EQ(find_whole(text, "Marlo", english, 19), std::string::npos);
  EXPECT_EQ(find_whole(text, "Marlo", language_of("zh")), 0U) << "Chinese parts no words";
}

}  // namespace
}  // namespace xkde
