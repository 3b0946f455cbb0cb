#include <functional>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/data/benchmarks/loaded_data.h"
#include "tests/core/data/benchmarks/edit_rows.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_folder.h"

namespace xkde {
namespace {

using test::bizsre_side;
using test::bmike_side;
using test::load_edits;
using test::message_of;
using test::rows_text;
using test::TempFolder;
using testing::ElementsAre;
using testing::HasSubstr;

EditDataset load_text(const Json& rows, const char* edit = "en", const char* test = "es",
                      const Slice& slice = {}) {
  const TempFolder folder;
  return load_edits("bizsre", folder.write("rows.json", rows.dump()), edit, test, slice);
}

Json two_rows() {
  return Json::array({{{"en", bizsre_side("en", 0)}, {"es", bizsre_side("es", 0)}},
                      {{"en", bizsre_side("en", 1)}, {"es", bizsre_side("es", 1)}}});
}

std::string data_error(const Json& rows) {
  return message_of<DataError>([&rows] { load_text(rows); });
}

TEST(Language, OwnCodeAndIsoCodeAreOneLanguage) {
  EXPECT_EQ(&language_of("cz"), &language_of("cs"));
  EXPECT_EQ(&language_of("du"), &language_of("nl"));
  EXPECT_EQ(language_of("cz").iso, "cs");
  EXPECT_EQ(language_of("du").english_name, "Dutch");
  EXPECT_EQ(language_of("zh").nllb_code, "zho_Hans");
  EXPECT_EQ(&language_of("zh-cn"), &language_of("zh"));
  EXPECT_EQ(language_of("ja").english_name, "Japanese");
  EXPECT_EQ(language_of("ja").nllb_code, "jpn_Jpan");
  EXPECT_TRUE(language_of("la").nllb_code.empty());
}

TEST(Language, UnknownCodeIsAConfigErrorThatNamesIt) {
  const std::string message = message_of<ConfigError>([] { language_of("xx"); });

  EXPECT_THAT(message, HasSubstr("found \"xx\""));
  EXPECT_THAT(message, HasSubstr("cs (cz)"));
}

TEST(Language, AreThe53OfBmikeAndEveryCodeIsOneLanguages) {
  std::set<std::string> codes, names;
  for (const Language& language : languages()) {
    names.insert(language.english_name);
    for (const std::string& code : std::set{language.iso, language.file_code, language.train_code})
      EXPECT_TRUE(codes.insert(code).second) << code;
  }

  EXPECT_EQ(languages().size(), 53U);
  EXPECT_EQ(names.size(), 53U);
}

TEST(Language, PairsOfCodesAreTakenApart) {
  using Pair = std::pair<std::string_view, std::string_view>;
  EXPECT_EQ(language_pair("enes"), Pair("en", "es"));
  EXPECT_EQ(language_pair("enceb"), Pair("en", "ceb"));
  EXPECT_EQ(language_pair("cebja"), Pair("ceb", "ja"));
  EXPECT_EQ(language_pair("cebceb"), Pair("ceb", "ceb"));
  for (const char* text : {"", "en", "enxx", "eneses", "zsre", "with", "ceb"})
    EXPECT_EQ(language_pair(text), std::nullopt) << text;
}

TEST(Slice, RangesAreThoseOfPython) {
  const auto range = [](const char* text, int64_t n) { return Slice::parse(text).range(n); };
  using Pair = std::pair<int64_t, int64_t>;

  EXPECT_EQ(range("", 10), Pair(0, 10));
  EXPECT_EQ(range(":", 10), Pair(0, 10));
  EXPECT_EQ(range("0:4", 10), Pair(0, 4));
  EXPECT_EQ(range("-3:", 10), Pair(7, 10));
  EXPECT_EQ(range(":-3", 10), Pair(0, 7));
  EXPECT_EQ(range("-25:", 10), Pair(0, 10));
  EXPECT_EQ(range("4:40", 10), Pair(4, 10));
  EXPECT_EQ(range("12:", 10), Pair(10, 10));
  EXPECT_EQ(range("5:2", 10), Pair(5, 5));
}

TEST(Slice, TextThatIsNoSliceIsAConfigError) {
  for (const char* text : {"5", "a:b", "1:2:3", "1.5:", " 1:2", ":9223372036854775808"}) {
    EXPECT_THAT(message_of<ConfigError>([text] { Slice::parse(text); }),
                HasSubstr(std::string("\"") + text + "\""));
  }
}

TEST(EditDataset, ReadsTheBizsreLayoutAsWritten) {
  Json rows = two_rows();
  rows[1]["es"]["alt"] = " especie ";

  const EditDataset dataset = load_text(rows);

  ASSERT_EQ(dataset.records.size(), 2U);
  EXPECT_EQ(dataset.records[1].index, 1);
  const EditSide& side = dataset.records[1].sides.at("es");
  EXPECT_EQ(side.subject, "S es1");
  EXPECT_EQ(side.src, "src es1?");
  EXPECT_THAT(side.rephrases, ElementsAre("rephrase es1?"));
  EXPECT_EQ(side.alt, " especie ");
  EXPECT_EQ(side.first_probe(true)->question, "loc es1");
  EXPECT_EQ(side.first_probe(true)->target, "loc_ans es1");
  EXPECT_EQ(side.first_probe(false)->question, "port es1?");
  EXPECT_EQ(side.first_probe(false)->target, "port_ans es1");
  EXPECT_TRUE(dataset.skipped.empty());
}

TEST(EditDataset, ReadsTheBmikeLayout) {
  const TempFolder folder;
  const auto file = folder.write("zsre_test_es.json", rows_text(bmike_side, {"en", "es"}, 1));

  const EditDataset dataset = load_edits("bmike53", file, "en", "es", {});

  EXPECT_EQ(dataset.records.at(0).sides.at("en").first_probe(false)->target, "port_ans en0");
}

TEST(EditDataset, SidesAreKeyedByIsoCode) {
  const Json rows = Json::array({{{"en", bizsre_side("en", 0)}, {"cz", bizsre_side("cz", 0)}}});

  for (const char* code : {"cz", "cs"}) {
    EXPECT_EQ(load_text(rows, "en", code).records.at(0).sides.at("cs").src, "src cz0?");
  }
}

TEST(EditDataset, UnknownKeysAndLanguagesAreCountedByName) {
  Json rows = two_rows();
  rows[0]["id"] = 17;
  rows[0]["xx"] = "not a side";
  rows[0]["en"]["extra"] = nullptr;
  rows[1]["es"]["locality_prompt"] = "q";
  rows[1]["es"]["portability"]["Old Answer"] = "a";

  const EditDataset dataset = load_text(rows);

  EXPECT_EQ(dataset.records.size(), 2U);
  EXPECT_EQ(dataset.skipped,
            (std::map<std::string, int64_t>{{"en.extra: unknown field", 1},
                                            {"es.locality_prompt: unknown field", 1},
                                            {"es.portability.Old Answer: unknown field", 1},
                                            {"id: unknown field", 1},
                                            {"xx: unknown field", 1}}));
}

TEST(EditDataset, SideGoesWithoutWhatItsFileLeavesBlank) {
  const std::tuple<const char*, const char*, const char*> cases[] = {
      {"rephrase", "", "rephrase: empty"},
      {"loc", " ", "loc: empty"},
      {"loc_ans", "", "loc_ans: empty"},
      {"port", "", "port: empty"},
      {"port_ans", "\n", "port_ans: empty"}};
  for (const auto& [key, text, reason] : cases) {
    const TempFolder folder;
    Json side = bmike_side("es", 0);
    side[key] = text;
    const Json rows = Json::array({{{"en", bmike_side("en", 0)}, {"es", side}}});

    const EditDataset data =
        load_edits("bmike53", folder.write("rows.json", rows.dump()), "en", "es");

    const EditSide& asked = data.records.at(0).sides.at("es");
    EXPECT_EQ(asked.left_out, std::vector<std::string>{reason});
    EXPECT_EQ(asked.rephrases.empty(), std::string(key) == "rephrase");
    EXPECT_EQ(asked.first_probe(true) == nullptr, std::string(reason).starts_with("loc"));
    EXPECT_EQ(asked.first_probe(false) == nullptr, std::string(reason).starts_with("port"));
    EXPECT_TRUE(data.records.at(0).sides.at("en").left_out.empty());
  }
}

TEST(EditDataset, OldAnswerOfBmikeIsKnown) {
  const TempFolder folder;
  Json side = bmike_side("ja", 0);
  side["old"] = "古い";
  Json other = bmike_side("ja", 1);
  other["old"] = "";
  const Json rows = Json::array(
      {{{"en", bmike_side("en", 0)}, {"ja", side}}, {{"en", bmike_side("en", 1)}, {"ja", other}}});

  const EditDataset data =
      load_edits("bmike53", folder.write("wfd_test_ja.json", rows.dump()), "en", "ja");

  EXPECT_EQ(data.records.at(0).sides.at("ja").old_answers, std::vector<std::string>{"古い"});
  EXPECT_TRUE(data.records.at(1).sides.at("ja").old_answers.empty());
  EXPECT_TRUE(data.skipped.empty());
}

TEST(EditDataset, RowsWithoutALanguageAreLeftOutAndCounted) {
  Json rows = two_rows();
  rows.push_back({{"en", bizsre_side("en", 2)}});
  rows.push_back({{"es", bizsre_side("es", 3)}});
  rows.push_back({{"en", bizsre_side("en", 4)}, {"es", bizsre_side("es", 4)}});

  const EditDataset dataset = load_text(rows, "en", "es", Slice::parse("-2:"));

  ASSERT_EQ(dataset.records.size(), 2U);
  EXPECT_EQ(dataset.records[0].index, 1);
  EXPECT_EQ(dataset.records[1].index, 4);
  EXPECT_EQ(dataset.skipped,
            (std::map<std::string, int64_t>{{"no language en", 1}, {"no language es", 1}}));
}

TEST(EditDataset, LanguageThatNoRowHasIsADataError) {
  const std::string message = message_of<DataError>([] { load_text(two_rows(), "en", "fr"); });

  EXPECT_THAT(
      message,
      HasSubstr("rows.json: expected rows with the languages en and fr, found rows with en, es"));
}

TEST(EditDataset, RecordWithoutPortabilityIsKept) {
  Json rows = two_rows();
  rows[0]["es"].erase("portability");
  rows[1]["es"]["portability"] = Json::object();

  const EditDataset dataset = load_text(rows);

  EXPECT_EQ(dataset.records.at(0).sides.at("es").first_probe(false), nullptr);
  EXPECT_EQ(dataset.records.at(1).sides.at("es").first_probe(false), nullptr);
}

TEST(EditDataset, BadFieldIsADataErrorThatNamesFileRowAndKey) {
  const std::vector<std::tuple<const char*, Json, const char*>> cases{
      {"alt", nullptr, "row 1: es.alt: expected a non-empty string, found null"},
      {"alt", "", "row 1: es.alt: expected a non-empty string, found \"\""},
      {"alt", " \n", "row 1: es.alt: expected a non-empty string, found only blanks"},
      {"src", 5, "row 1: es.src: expected a non-empty string, found a value of type number"},
      {"loc_ans", Json::array({"x"}),
       "row 1: es.loc_ans: expected a non-empty string, found a value of type array"},
      {"portability", "x", "row 1: es.portability: expected an object"},
      {"portability",
       {{"New Question", "x"}},
       "row 1: es.portability.New Answer: expected a non-empty string, found nothing"},
      {"case_id", true, "row 1: es.case_id: expected an integer or a string"},
  };
  for (const auto& [key, value, expected] : cases) {
    Json rows = two_rows();
    rows[1]["es"][key] = value;

    EXPECT_THAT(data_error(rows), HasSubstr(expected));
    EXPECT_THAT(data_error(rows), HasSubstr("rows.json: row 1"));
  }
}

TEST(EditDataset, MissingFieldIsADataError) {
  for (const char* key : {"subject", "src", "rephrase", "alt", "loc", "loc_ans"}) {
    Json rows = two_rows();
    rows[0]["en"].erase(key);

    EXPECT_THAT(data_error(rows), HasSubstr(std::string("row 0: en.") + key +
                                            ": expected a non-empty string, found nothing"));
  }
}

TEST(EditDataset, HalfAPortabilityQuestionIsADataError) {
  const TempFolder folder;
  Json side = bmike_side("es", 0);
  side.erase("port_ans");
  const Json rows = Json::array({{{"en", bmike_side("en", 0)}, {"es", side}}});
  const auto file = folder.write("rows.json", rows.dump());

  EXPECT_THAT(message_of<DataError>([&] { load_edits("bmike53", file, "en", "es", {}); }),
              HasSubstr("row 0: es.port_ans: expected a non-empty string, found nothing"));
}

TEST(EditDataset, RowsOfTheWrongShapeAreDataErrors) {
  EXPECT_THAT(data_error(Json::object()), HasSubstr("expected an array of rows"));
  EXPECT_THAT(data_error(Json::array()), HasSubstr("expected at least one row"));
  EXPECT_THAT(data_error(Json::array({"x"})),
              HasSubstr("row 0: expected an object {language: side}"));
  EXPECT_THAT(data_error(Json::array({{{"en", "x"}}})), HasSubstr("row 0: en: expected an object"));
}

TEST(EditDataset, LanguageUnderTwoCodesIsADataError) {
  const Json rows = Json::array({{{"cs", bizsre_side("cs", 0)}, {"cz", bizsre_side("cz", 0)}}});

  EXPECT_THAT(data_error(rows),
              HasSubstr("row 0: cz: expected each language once, found Czech under two codes"));
}

TEST(EditDataset, SidesOfDifferentCasesAreADataError) {
  const Json rows = Json::array({{{"en", bmike_side("en", 0)}, {"es", bmike_side("es", 1)}}});

  EXPECT_THAT(data_error(rows),
              HasSubstr("row 0: es.case_id: expected 0 as in the row's other language, found 1"));
}

TEST(EditDataset, FileThatIsNotThereIsAMissingInput) {
  EXPECT_THAT(
      message_of<MissingInputError>([] { load_edits("bizsre", "/nowhere/rows.json", "en", "es"); }),
      HasSubstr("/nowhere/rows.json"));
}

}  // namespace
}  // namespace xkde
