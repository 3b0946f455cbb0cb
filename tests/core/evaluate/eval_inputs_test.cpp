#include "core/evaluate/eval_inputs.h"

#include <fstream>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/evaluate/demonstrations.h"
#include "core/text/tokenizer/tokenizer.h"
#include "tests/core/data/benchmarks/edit_rows.h"
#include "tests/support/byte_tokenizer.h"
#include "tests/support/temp_folder.h"

namespace xkde {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class EvalInputsTest : public testing::Test {
 protected:
  EvalInputsTest() {
    Json rows = Json::array();
    for (int i = 0; i < 3; ++i) {
      Json row{{"en", test::bizsre_side("en", i)}, {"es", test::bizsre_side("es", i)}};
      row["en"]["loc"] = "nq question: far " + std::to_string(i);
      rows.push_back(row);
    }
    std::ofstream(file()) << rows.dump();
    options_.benchmark = "mzsre";
    options_.data = file();
    options_.edit_languages = {"en"};
    options_.test_languages = {"es", "en"};
  }

  std::filesystem::path file() const { return folder_.path() / "edits_enes.json"; }

  test::TempFolder folder_;
  EvalOptions options_;
  LoadedData files_;
};

TEST_F(EvalInputsTest, GiveEachPairAStreamOfItsOwn) {
  const EvalInputs inputs = read_eval_inputs(options_, files_);

  EXPECT_THAT(inputs.pairs, ElementsAre(LanguagePair{"en", "es"}, LanguagePair{"en", "en"}));
  EXPECT_THAT(inputs.edits_of_stream(), ElementsAre(3, 3));
  EXPECT_THAT(inputs.streams[1].pairs, ElementsAre(1, 1, 1));
  const EvalEdit& edit = inputs.streams[0].edits[1];
  EXPECT_EQ(edit.question, "src en1?");
  EXPECT_EQ(edit.asked[0].question, "src es1?");
  EXPECT_EQ(inputs.used.at("edits"), 6);
  EXPECT_EQ(inputs.used.at("locality"), 6);
}

TEST_F(EvalInputsTest, ShareAMemoryByTestLanguage) {
  options_.edit_languages = {"en", "es"};
  options_.test_languages = {"es"};
  options_.mode = EditMode::kBatch;
  EXPECT_THAT(read_eval_inputs(options_, files_).edits_of_stream(), ElementsAre(3, 3));
  options_.memory = MemoryScope::kTestLanguage;

  const EvalInputs inputs = read_eval_inputs(options_, files_);

  EXPECT_THAT(inputs.edits_of_stream(), ElementsAre(6));
  EXPECT_THAT(inputs.streams[0].pairs, ElementsAre(0, 0, 0, 1, 1, 1));
  options_.mode = EditMode::kSingle;
  EXPECT_THAT(read_eval_inputs(options_, files_).edits_of_stream(), ElementsAre(3, 3));
}

TEST_F(EvalInputsTest, CutThePrefixOfLocalityWhereAsked) {
  EXPECT_EQ(read_eval_inputs(options_, files_).streams[1].edits[0].asked[2].question,
            "nq question: far 0");
  options_.nq_prefix = NqPrefix::kCut;
  EXPECT_EQ(read_eval_inputs(options_, files_).streams[1].edits[0].asked[2].question, "far 0");
}

TEST_F(EvalInputsTest, AskTheProbesOfEachEditBehindItsRowsQuestions) {
  options_.probes = {"prefix", "fact_check"};
  const EvalInputs inputs = read_eval_inputs(options_, files_);

  std::vector<std::string> names;
  for (const EditQuestion& one : inputs.streams[0].edits[1].asked) names.push_back(one.kind.name());
  EXPECT_THAT(names, ElementsAre("reliability", "generality", "locality", "portability",
                                 "fact_check.new", "prefix"));
  EXPECT_EQ(inputs.used.at("prefix"), 6);
  EXPECT_EQ(inputs.skipped.at("fact_check.old: no old answer"), 6);
}

TEST_F(EvalInputsTest, WithoutARowForAProbeAreADataErrorThatSaysWhy) {
  options_.probes = {"reverse"};
  try {
    read_eval_inputs(options_, files_);
    FAIL() << "expected a DataError";
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), HasSubstr(file().string()));
    EXPECT_THAT(error.what(), HasSubstr("probes: expected a row that allows reverse, found none "
                                        "(reverse: subject not in the question: 6)"));
  }
}

TEST_F(EvalInputsTest, CutPrefixesToTheModelsTokens) {
  options_.probes = {"prefix"};
  options_.test_languages = {"en"};
  EvalInputs inputs = read_eval_inputs(options_, files_);
  const Tokenizer tokenizer = test::byte_tokenizer();

  cut_prefixes(inputs, tokenizer);

  const EditQuestion& asked = inputs.streams[0].edits[2].asked.back();
  EXPECT_EQ(asked.question, "src en2?");
  EXPECT_EQ(tokenizer.encode(asked.preface).size(), 50U);
  EXPECT_THAT(asked.preface, testing::StartsWith("Every morning the baker"));
}

TEST(PieceOfTokens, EndsWithAWholeCharacterAndSkipsWhatCannotBeCut) {
  const Tokenizer tokenizer = test::byte_tokenizer();
  EXPECT_EQ(piece_of_tokens("cab abcd", 3, tokenizer), "abcd");
  EXPECT_EQ(piece_of_tokens("cd abc e", 4, tokenizer), "cd ab");
  EXPECT_THROW(piece_of_tokens("cd", 3, tokenizer), ConfigError);
}

TEST_F(EvalInputsTest, DrawRecordsInAnOrderOfEachSeed) {
  options_.seeds = {1, 2, 3};
  options_.sample = 2;
  const EvalInputs inputs = read_eval_inputs(options_, files_);

  EXPECT_THAT(inputs.seeds, ElementsAre(1, 1, 2, 2, 3, 3));
  ASSERT_EQ(inputs.pairs.size(), 6U);
  EXPECT_EQ(inputs.pairs[4], (LanguagePair{"en", "es"}));
  EXPECT_THAT(inputs.edits_of_stream(), ElementsAre(2, 2, 2, 2, 2, 2));
  std::set<std::vector<int64_t>> orders;
  for (size_t i = 0; i < inputs.streams.size(); i += 2) {
    std::vector<int64_t> order, other;
    for (const EvalEdit& edit : inputs.streams[i].edits) order.push_back(edit.record);
    for (const EvalEdit& edit : inputs.streams[i + 1].edits) other.push_back(edit.record);
    EXPECT_EQ(order, other);  // Of both test languages the same records.
    EXPECT_THAT(inputs.streams[i].pairs, ElementsAre(i, i));
    orders.insert(order);
  }
  EXPECT_GT(orders.size(), 1U);
}

TEST_F(EvalInputsTest, ShareAMemoryWithinASeed) {
  options_.edit_languages = {"en", "es"};
  options_.test_languages = {"es"};
  options_.mode = EditMode::kBatch;
  options_.memory = MemoryScope::kTestLanguage;
  options_.seeds = {1, 2};
  EXPECT_THAT(read_eval_inputs(options_, files_).edits_of_stream(), ElementsAre(6, 6));
}

TEST_F(EvalInputsTest, SampleBeyondTheRecordsIsADataError) {
  options_.seeds = {1};
  options_.sample = 4;
  try {
    read_eval_inputs(options_, files_);
    FAIL() << "expected a DataError";
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(),
                HasSubstr("sample: expected at most 3 (the records at hand), found 4"));
  }
}

TEST_F(EvalInputsTest, WithoutARecordAreADataError) {
  options_.records = "5:";
  try {
    read_eval_inputs(options_, files_);
    FAIL();
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(),
                HasSubstr("expected records for en -> es, found none in the slice \"5:\""));
  }
}

TEST_F(EvalInputsTest, ShelfHoldsTheExamplesOfThePair) {
  const DemonstrationOptions options{"mzsre", file(), "1:", 2};
  const Shelf shelf = read_shelf(options, *remake_method().demonstrator(), {"en", "es"}, files_);

  EXPECT_THAT(shelf.keys, ElementsAre("src en1?", "src en2?"));
  EXPECT_EQ(shelf.texts[0],
            "Question: src en1? Answer: alt en1\nQuestion: src es1? Answer: alt es1\n\n");
  EXPECT_THROW((void)read_shelf({"mzsre", file(), "7:", 2}, *remake_method().demonstrator(),
                                {"en", "es"}, files_),
               DataError);
}

}  // namespace
}  // namespace xkde
