#include <cstdlib>
#include <iostream>
#include <map>
#include <span>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/data/benchmarks/benchmarks.h"
#include "core/edit/subject_place.h"
#include "core/edit/token_place.h"
#include "core/io/gguf.h"
#include "tests/support/shared_folder.h"

namespace xkde {
namespace {

using Counts = std::map<std::string, int64_t>;

/// A prompt and its subject.
struct Row {
  std::string prompt, subject;
};

/// Subjects in real prompts. Prints how many are found in which way, and with XKDE_SHOW_SUBJECTS
/// set each that is not exact.
class RealSubjects : public testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(data()))
      GTEST_SKIP() << "no benchmark rows in " << test::shared_folder() << " (XKDE_SHARED_DIR)";
  }
  static std::filesystem::path data() { return test::shared_folder() / "data"; }

  /// Edit questions and their rephrasings of one language.
  static std::vector<Row> parallel_rows(const Language& language, bool is_rephrased) {
    const BenchmarkSource& bmike = benchmark_of("bmike53");
    const Language& english = language_of("en");
    const auto files = bmike.files(data() / "bmike53_zsre", english, language, Split::kTest);
    std::vector<Row> rows;
    for (const EditRecord& record : bmike.read(files.front()).rows) {
      const auto side = record.sides.find(language.iso);
      if (side == record.sides.end()) continue;
      const auto& others = side->second.rephrases;
      const std::string rephrase = others.empty() ? "" : others.front();
      rows.push_back({is_rephrased ? rephrase : side->second.src, side->second.subject});
    }
    return rows;
  }

  static Counts count(const std::string& name, const std::vector<Row>& rows,
                      const Language& language) {
    const bool shows = std::getenv("XKDE_SHOW_SUBJECTS") != nullptr;
    Counts counts;
    for (const Row& row : rows) {
      const auto place = find_subject(row.prompt, row.subject, language);
      const std::string kind =
          place ? std::string(name_of(kSubjectMatchNames, place->match)) : "none";
      ++counts[kind];
      if (!shows || kind == "exact") continue;
      const std::string there =
          place ? row.prompt.substr(place->begin, place->end - place->begin) : "";
      std::cout << fmt::format("{} {} | {} | {} | {}\n", name, kind, row.subject, row.prompt,
                               there);
    }
    std::cout << fmt::format("{:24}", name);
    for (const auto& [kind, rows_of_kind] : counts)
      std::cout << fmt::format("  {} {}", kind, rows_of_kind);
    std::cout << "\n";
    return counts;
  }
};

/// What is not exact in the questions of a language. All of it was read: none is another subject,
/// and those that are not there are named otherwise, mostly in another language.
struct OtherKinds {
  const char* iso;
  int64_t rows, other_case, without_blanks, inflected, none;
};
constexpr OtherKinds kOtherKinds[] = {
    {"en", 400, 0, 0, 0, 0}, {"cs", 400, 4, 0, 48, 12}, {"de", 400, 0, 1, 9, 4},
    {"nl", 400, 1, 0, 0, 8}, {"es", 400, 6, 0, 0, 4},   {"fr", 400, 12, 0, 0, 9},
    {"pt", 400, 3, 0, 0, 6}, {"ru", 400, 5, 0, 82, 12}, {"th", 400, 0, 0, 0, 11},
    {"tr", 396, 0, 0, 4, 6}, {"vi", 399, 12, 0, 0, 2},  {"zh", 400, 0, 0, 0, 10}};

TEST_F(RealSubjects, StandInParallelQuestions) {
  for (const OtherKinds& kinds : kOtherKinds) {
    const Language& language = language_of(kinds.iso);
    Counts counts = count(language.iso + " src", parallel_rows(language, false), language);
    EXPECT_EQ(counts["other_case"], kinds.other_case) << kinds.iso;
    EXPECT_EQ(counts["other_spelling"], 0) << kinds.iso;
    EXPECT_EQ(counts["without_blanks"], kinds.without_blanks) << kinds.iso;
    EXPECT_EQ(counts["inflected"], kinds.inflected) << kinds.iso;
    EXPECT_EQ(counts["none"], kinds.none) << kinds.iso;
    const int64_t others = kinds.other_case + kinds.without_blanks + kinds.inflected + kinds.none;
    EXPECT_EQ(counts["exact"], kinds.rows - others) << kinds.iso;
  }
}

TEST_F(RealSubjects, StandInRephrasedQuestions) {
  for (const OtherKinds& kinds : kOtherKinds) {
    const Language& language = language_of(kinds.iso);
    Counts counts = count(language.iso + " rephrase", parallel_rows(language, true), language);
    EXPECT_LE(counts["none"], kinds.none + 1) << kinds.iso;
  }
}

TEST_F(RealSubjects, StandInNoQuestionAboutAnother) {
  for (const OtherKinds& kinds : kOtherKinds) {
    const Language& language = language_of(kinds.iso);
    const std::vector<Row> rows = parallel_rows(language, false);
    // Every seventh pair: all take half a minute.
    for (size_t i = 0; i < rows.size(); ++i) {
      for (size_t j = i % 7; j < rows.size(); j += 7) {
        if (rows[i].subject == rows[j].subject) continue;
        EXPECT_FALSE(find_subject(rows[i].prompt, rows[j].subject, language))
            << language.iso << ": " << rows[i].prompt << ": " << rows[j].subject;
      }
    }
  }
}

TEST_F(RealSubjects, EndInTheTokenThatCompletesThem) {
  const auto model = test::model_folder() / "SmolLM2-135M-Instruct.Q4_1.gguf";
  if (!std::filesystem::exists(model)) GTEST_SKIP() << "no model at " << model;
  const Tokenizer tokenizer = Tokenizer::from_gguf(GgufFile::open(model));
  for (const OtherKinds& kinds : kOtherKinds) {
    const Language& language = language_of(kinds.iso);
    for (const Row& row : parallel_rows(language, false)) {
      const auto place = find_subject(row.prompt, row.subject, language);
      if (!place) continue;
      const std::vector<int64_t> ids = tokenizer.encode(row.prompt);
      const auto token = static_cast<size_t>(last_token_of(tokenizer, row.prompt, place->end, ids));
      const std::string there = row.prompt.substr(0, place->end);
      const std::span<const int64_t> all(ids);
      EXPECT_TRUE(tokenizer.decode(all.first(token + 1)).starts_with(there)) << row.prompt;
      EXPECT_FALSE(tokenizer.decode(all.first(token)).starts_with(there)) << row.prompt;
    }
  }
}

TEST_F(RealSubjects, StandInEveryKnowEditPrompt) {
  const char* const files[][2] = {{"zsre", "ZsRE/ZsRE-test-all.json"},
                                  {"wikibio", "WikiBio/wikibio-test-all.json"},
                                  {"wikibio", "WikiBio/wikibio-train-all.json"},
                                  {"counterfact", "wiki_counterfact/eval_from_train_cf.json"},
                                  {"recent", "wiki_recent/eval_from_recent_train.json"},
                                  {"counterfact", "train/train_cf.json"},
                                  {"recent", "train/recent_train.json"}};
  for (const auto& [set, file] : files) {
    std::vector<Row> rows;
    for (const EditRecord& record : benchmark_of(set).read(data() / "knowedit" / file).rows) {
      const EditSide& side = record.sides.at("en");
      rows.push_back({side.src, side.subject});
    }
    EXPECT_THAT(count(file, rows, language_of("en")),
                testing::ElementsAre(testing::Pair("exact", std::ssize(rows))));
  }
}

}  // namespace
}  // namespace xkde
