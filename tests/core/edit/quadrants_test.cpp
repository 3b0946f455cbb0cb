#include "core/edit/quadrants.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/edit/prompt.h"

namespace xkde {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;
using testing::StartsWith;
using testing::UnorderedElementsAre;

/// An invented case; facts share the words "who is", so that all are neighbours.
EditCase one_case(int64_t index) {
  const std::string tag = std::to_string(index);
  EditCase one;
  one.index = index;
  one.subject = "S" + tag;
  one.edit_src = "who is n" + tag + "?";
  one.fact = one.edit_src + " me" + tag;
  one.src = "quien n" + tag + "?";
  one.rephrases = {"otra n" + tag + "?"};
  one.alt = "yo" + tag;
  one.old_answer = "tu" + tag;
  one.portability = {{"salto n" + tag + "?", "uno"}};
  one.locality = {{"lejos n" + tag, "cuatro"}};
  return one;
}

CaseSet case_set(int64_t size, const char* edit = "en", const char* test = "es",
                 const char* source = "mzsre") {
  CaseSet set{source, language_of(edit), language_of(test), {}};
  for (int64_t i = 0; i < size; ++i) set.cases.push_back(one_case(i));
  return set;
}

QuadrantOptions options_with(void (*change)(QuadrantOptions&)) {
  QuadrantOptions options;
  options.seed = 42;
  change(options);
  return options;
}

QuadrantOptions defaults() {
  return options_with([](QuadrantOptions&) {});
}

/// Without distractors, so that prompts are known.
QuadrantOptions alone() {
  return options_with([](QuadrantOptions& options) { options.distractors = {1}; });
}

std::string text_of(const QuadrantSamples& samples) {
  std::string text;
  for (const TrainingExample& example : samples.examples)
    text += example.id + "|" + example.user + "|" + example.answer + "\n";
  return text;
}

double share(const QuadrantSamples& samples, const std::vector<std::string>& quadrants) {
  double sum = 0;
  for (const std::string& name : quadrants) {
    const auto found = samples.statistics.quadrants.find(name);
    if (found != samples.statistics.quadrants.end()) sum += static_cast<double>(found->second);
  }
  return sum / static_cast<double>(samples.examples.size());
}

TEST(Quadrants, RecordGivesFourSamplesOfTheSameQuestions) {
  QuadrantOptions options = alone();
  options.src_share = 1;

  const QuadrantSamples samples = build_quadrants({case_set(1)}, options);

  ASSERT_EQ(samples.examples.size(), 4U);
  const std::vector<std::string> fact{"who is n0? me0"};
  EXPECT_EQ(samples.examples[0].id, "identity_0_mzsre_enes_in_with_edit");
  EXPECT_EQ(samples.examples[0].user, edit_prompt(fact, "quien n0?", "Spanish"));
  EXPECT_EQ(samples.examples[0].answer, "yo0");
  EXPECT_EQ(samples.examples[1].id, "identity_1_mzsre_enes_in_without_edit");
  EXPECT_EQ(samples.examples[1].user, "quien n0?");
  EXPECT_EQ(samples.examples[1].answer, "tu0");
  EXPECT_EQ(samples.examples[2].id, "identity_2_mzsre_enes_out_with_edit");
  EXPECT_EQ(samples.examples[2].user, edit_prompt(fact, "lejos n0", "Spanish"));
  EXPECT_EQ(samples.examples[2].answer, "cuatro");
  EXPECT_EQ(samples.examples[3].id, "identity_3_mzsre_enes_out_without_edit");
  EXPECT_EQ(samples.examples[3].user, "lejos n0");
  EXPECT_EQ(samples.examples[3].answer, "cuatro");
}

TEST(Quadrants, SameSeedGivesTheSameSamplesAndAnotherSeedOthers) {
  const std::vector<CaseSet> sets{case_set(30), case_set(30, "en", "en")};
  QuadrantOptions options = defaults();

  const std::string first = text_of(build_quadrants(sets, options));

  EXPECT_EQ(text_of(build_quadrants(sets, options)), first);
  options.seed = 43;
  EXPECT_NE(text_of(build_quadrants(sets, options)), first);
}

TEST(Quadrants, DrawsOfARecordDoNotDependOnTheOthers) {
  QuadrantOptions options = alone();
  options.samples_per_pair = 4;
  const QuadrantSamples few = build_quadrants({case_set(1)}, options);
  options.samples_per_pair = 0;

  const QuadrantSamples many = build_quadrants({case_set(9)}, options);

  for (const TrainingExample& example : few.examples) {
    const bool found =
        std::any_of(many.examples.begin(), many.examples.end(),
                    [&](const TrainingExample& other) { return other.user == example.user; });
    EXPECT_TRUE(found) << example.user;
  }
}

TEST(Quadrants, TrueFactIsFirstOfNumberedFactsAndDistractorsAreOthers) {
  QuadrantOptions options = defaults();
  options.distractors = {0, 0, 1};

  const QuadrantSamples samples = build_quadrants({case_set(20)}, options);

  for (const TrainingExample& example : samples.examples) {
    if (!example.user.starts_with("Please")) continue;
    const size_t digits = example.question.rfind('n') + 1;
    const size_t end = example.question.find_first_not_of("0123456789", digits);
    const std::string tag = example.question.substr(digits, end - digits);
    EXPECT_THAT(example.user,
                HasSubstr("[Updated Information]:\n1. who is n" + tag + "? me" + tag + "\n"));
    EXPECT_THAT(example.user, HasSubstr("\n2. who is n"));
    EXPECT_THAT(example.user, HasSubstr("\n3. who is n"));
    std::set<std::string> facts;
    for (const char* number : {"\n1. ", "\n2. ", "\n3. "}) {
      const size_t begin = example.user.find(number) + 4;
      facts.insert(example.user.substr(begin, example.user.find('\n', begin) - begin));
    }
    EXPECT_EQ(facts.size(), 3U) << example.user;
  }
  EXPECT_THAT(samples.statistics.facts, UnorderedElementsAre(Pair("0", 40), Pair("3", 40)));
}

TEST(Quadrants, FactsOfTheSameSubjectOrTextAreNoDistractors) {
  CaseSet set = case_set(4);
  set.cases[1].subject = "S0";
  set.cases[2].fact = set.cases[0].fact;
  set.cases[3].fact = "who is n3? me3";
  QuadrantOptions options = defaults();
  options.distractors = {0, 1};

  const QuadrantSamples samples = build_quadrants({set}, options);

  int seen = 0;
  for (const TrainingExample& example : samples.examples) {
    if (!example.user.starts_with("Please") || !example.question.ends_with("n0?")) continue;
    ++seen;
    EXPECT_THAT(example.user, HasSubstr("1. who is n0? me0\n2. who is n3? me3\n"));
  }
  EXPECT_GT(seen, 0);
}

TEST(Quadrants, TooFewDistractorsLeaveTheTrueFactAlone) {
  QuadrantOptions options = defaults();
  options.distractors = {0, 0, 1};

  const QuadrantSamples samples = build_quadrants({case_set(2)}, options);

  EXPECT_THAT(samples.statistics.facts, UnorderedElementsAre(Pair("0", 4), Pair("1", 4)));
  EXPECT_EQ(samples.statistics.skipped.at("too few distractors"), 2);
}

TEST(Quadrants, SearchMayBeReplaced) {
  QuadrantOptions options = defaults();
  options.distractors = {0, 1};
  options.search = [](const std::vector<std::string>& facts) {
    EXPECT_EQ(facts.size(), 9U);
    return [](std::string_view query, size_t count) {
      EXPECT_THAT(std::string(query), StartsWith("who is n"));
      EXPECT_EQ(count, kNeighbours);
      return std::vector<size_t>{7};
    };
  };

  const QuadrantSamples samples = build_quadrants({case_set(9)}, options);

  for (const TrainingExample& example : samples.examples) {
    if (!example.user.starts_with("Please") || example.question.find("n7") != std::string::npos)
      continue;
    EXPECT_THAT(example.user, HasSubstr("\n2. who is n7? me7\n"));
  }
}

TEST(Quadrants, NumbersOfDistractorsHaveTheirShares) {
  const QuadrantSamples samples = build_quadrants({case_set(2000)}, defaults());

  // 2000 draws, each seen in two prompts: a standard deviation of 0.011 of the half.
  const auto& facts = samples.statistics.facts;
  EXPECT_NEAR(static_cast<double>(facts.at("1")) / 4000, 0.5, 0.045);
  EXPECT_NEAR(static_cast<double>(facts.at("2")) / 4000, 0.25, 0.04);
  EXPECT_NEAR(static_cast<double>(facts.at("3")) / 4000, 0.25, 0.04);
  EXPECT_EQ(facts.at("0"), 4000);
}

TEST(Quadrants, SrcIsAskedByItsShareAndElseRephrase) {
  const QuadrantSamples samples = build_quadrants({case_set(2000)}, alone());

  int src = 0;
  for (const TrainingExample& example : samples.examples)
    src += example.question.starts_with("quien") ? 1 : 0;
  // Of 2000 draws, each in two samples: a standard deviation of 0.0102.
  EXPECT_NEAR(src / 4000.0, 0.3, 0.041);
}

TEST(Quadrants, RephrasingsAreAskedAlikeOften) {
  CaseSet set = case_set(2000);
  const QuadrantSamples one_each = build_quadrants({set}, alone());
  for (EditCase& one : set.cases) one.rephrases = {"a " + one.src, "b " + one.src, "c " + one.src};

  const QuadrantSamples samples = build_quadrants({set}, alone());

  std::map<char, int> asked;
  for (const TrainingExample& example : samples.examples) ++asked[example.question.front()];
  // Seven tenths of 4,000 samples, of 2000 draws: a standard deviation of 0.01.
  for (const char first : {'a', 'b', 'c'}) EXPECT_NEAR(asked[first] / 4000.0, 0.7 / 3, 0.04);
  // Nothing else is drawn otherwise.
  ASSERT_EQ(samples.examples.size(), one_each.examples.size());
  for (size_t i = 0; i < samples.examples.size(); ++i)
    EXPECT_EQ(samples.examples[i].question.starts_with("quien"),
              one_each.examples[i].question.starts_with("quien"));
}

TEST(Quadrants, SrcIsAskedWhereThereIsNoRephrase) {
  CaseSet set = case_set(20);
  for (EditCase& one : set.cases) one.rephrases.clear();

  for (const TrainingExample& example : build_quadrants({set}, alone()).examples)
    EXPECT_FALSE(example.question.empty());
}

TEST(Quadrants, PortabilityIsAskedByItsShareOnlyWithTheEdit) {
  QuadrantOptions options = alone();
  options.portability_share = 1;
  options.in_scope_share = 1;

  const QuadrantSamples samples = build_quadrants({case_set(10)}, options);

  ASSERT_EQ(samples.examples.size(), 10U);
  for (const TrainingExample& example : samples.examples) {
    EXPECT_THAT(example.question, StartsWith("salto"));
    EXPECT_EQ(example.answer, "uno");
  }
  EXPECT_EQ(samples.statistics.skipped.at("old answer of portability unknown"), 10);
}

TEST(Quadrants, UnknownOldAnswersAreCountedAndLeaveHalfInScope) {
  CaseSet set = case_set(1000);
  for (EditCase& one : set.cases) one.old_answer.clear();

  const QuadrantSamples samples = build_quadrants({set}, alone());

  EXPECT_EQ(samples.statistics.skipped.at("old answer unknown"), 1000);
  EXPECT_EQ(samples.statistics.quadrants.at("in_with_edit"), 1000);
  EXPECT_EQ(samples.statistics.quadrants.count("in_without_edit"), 0U);
  // 2000 draws with p = 0.5 keep 1000 +- 22.
  EXPECT_NEAR(share(samples, {"out_with_edit", "out_without_edit"}), 0.5, 0.025);
}

TEST(Quadrants, SharesOfScopeAndEditHold) {
  QuadrantOptions options = alone();
  options.in_scope_share = 0.8;
  options.with_edit_share = 0.75;

  const QuadrantSamples samples = build_quadrants({case_set(3000)}, options);

  // At least 3000 / 0.6 samples: standard deviations below 0.007.
  EXPECT_NEAR(share(samples, {"in_with_edit", "in_without_edit"}), 0.8, 0.028);
  EXPECT_NEAR(share(samples, {"in_with_edit", "out_with_edit"}), 0.75, 0.028);
  EXPECT_EQ(samples.statistics.quadrants.at("in_with_edit"), 3000);
}

TEST(Quadrants, SharesOfZeroAndOneAreExact) {
  QuadrantOptions options = alone();
  options.with_edit_share = 0;
  EXPECT_EQ(
      share(build_quadrants({case_set(20)}, options), {"in_without_edit", "out_without_edit"}),
      1.0);
  options.with_edit_share = 1;
  options.in_scope_share = 0;
  EXPECT_EQ(share(build_quadrants({case_set(20)}, options), {"out_with_edit"}), 1.0);
}

TEST(Quadrants, MonolingualShareHoldsOverAllSources) {
  const std::vector<CaseSet> sets{case_set(100), case_set(100, "en", "fr"),
                                  case_set(50, "en", "en", "counterfact")};
  QuadrantOptions options = alone();

  EXPECT_THAT(build_quadrants(sets, options).statistics.pairs,
              UnorderedElementsAre(Pair("enes", 100), Pair("enfr", 100), Pair("enen", 200)));
  options.monolingual_share = 0.1;
  EXPECT_THAT(build_quadrants(sets, options).statistics.pairs,
              UnorderedElementsAre(Pair("enes", 400), Pair("enfr", 400), Pair("enen", 89)));
  options.monolingual_share = 1;
  EXPECT_THAT(build_quadrants(sets, options).statistics.sources,
              ElementsAre(Pair("counterfact", 200)));
}

TEST(Quadrants, OneKindOfPairIsNotThinnedOut) {
  EXPECT_EQ(build_quadrants({case_set(10), case_set(10, "es", "en")}, alone()).examples.size(),
            80U);
}

TEST(Quadrants, SamplesPerPairAndMaxSamplesBound) {
  QuadrantOptions options = alone();
  options.samples_per_pair = 10;
  const std::vector<CaseSet> sets{case_set(100), case_set(2, "en", "fr"),
                                  case_set(100, "es", "en")};
  EXPECT_THAT(build_quadrants(sets, options).statistics.pairs,
              UnorderedElementsAre(Pair("enes", 10), Pair("enfr", 8), Pair("esen", 10)));

  options.max_samples = 15;
  EXPECT_THAT(build_quadrants(sets, options).statistics.pairs,
              UnorderedElementsAre(Pair("enes", 6), Pair("enfr", 4), Pair("esen", 5)));
}

TEST(Quadrants, RecordsWithoutLocalityGiveInScopeSamples) {
  CaseSet set = case_set(5);
  for (EditCase& one : set.cases) one.locality.clear();

  const QuadrantSamples samples = build_quadrants({set}, alone());

  EXPECT_EQ(samples.examples.size(), 10U);
  EXPECT_EQ(samples.statistics.skipped.at("no question out of scope"), 5);
}

TEST(Quadrants, OfNoRecordsAreNone) {
  EXPECT_TRUE(build_quadrants({}, defaults()).examples.empty());
  EXPECT_TRUE(build_quadrants({case_set(0)}, defaults()).examples.empty());
}

}  // namespace
}  // namespace xkde
