#include "stages/ask/fact_store.h"

#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/data/benchmarks/benchmarks.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_folder.h"

namespace xkde::ask {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// Two facts without records of a file.
FactStore two_facts() {
  const std::vector<WordedFact> facts{
      {{"Who runs Halm House?", "Ada Oun", "en", 0}, {{"Who runs Halm House?", "Halm House"}}},
      {{"Who runs Selm?", "Bo Tey", "en", 1}, {{"Who runs Selm?", "Selm"}}}};
  return FactStore({std::make_unique<LetterFinder>(facts), {}});
}

std::vector<int64_t> numbers(const FactStore& store) {
  std::vector<int64_t> numbers;
  for (const FactStore::Entry& entry : store.entries()) numbers.push_back(entry.number);
  return numbers;
}

std::vector<std::string> found(const FactStore& store, const std::string& question, int64_t k = 1) {
  std::vector<std::string> answers;
  for (const FactFinder::Found& one : store.find(question, k)) answers.push_back(one.fact.target);
  return answers;
}

TEST(FactStore, RemovedFactsAreNotFoundAndNumbersStay) {
  FactStore store = two_facts();
  EXPECT_TRUE(store.remove(0));
  EXPECT_FALSE(store.remove(0));
  EXPECT_FALSE(store.remove(7));
  EXPECT_FALSE(store.remove(-1));

  EXPECT_THAT(found(store, "Who runs Halm House?"), IsEmpty());
  EXPECT_EQ(store.add({"Who runs Halm House?", "Eve", "en"}), 2);
  EXPECT_THAT(found(store, "Who runs Halm House?"), ElementsAre("Eve"));
  EXPECT_THAT(numbers(store), ElementsAre(1, 2));
  EXPECT_EQ(store.size(), 2);
  EXPECT_FALSE(store.entries()[0].is_added);
  EXPECT_TRUE(store.entries()[1].is_added);
}

TEST(FactStore, IsFullOfRemovedFactsToo) {
  FactStore store({std::make_unique<LetterFinder>(std::vector<WordedFact>()), {}}, 3);
  for (const char* answer : {"one", "two", "three"}) {
    EXPECT_FALSE(store.is_full()) << answer;
    store.remove(store.add({"Who runs Halm House?", answer, "en"}));
  }

  EXPECT_EQ(store.size(), 0);
  EXPECT_TRUE(store.is_full());
}

TEST(FactStore, AsManyFactsAreFoundAsWithoutTheRemovedOnes) {
  FactStore store = two_facts();
  for (const char* answer : {"one", "two", "three"})
    store.add({"Who runs Halm House?", answer, "en"});
  store.remove(0);
  store.remove(2);
  EXPECT_THAT(found(store, "Who runs Halm House?", 2), ElementsAre("two", "three"));
}

TEST(FactStore, ASubjectIsFoundInOtherWords) {
  FactStore store = two_facts();
  store.add({"Wer leitet Orm?", "Ida", "de", "Orm Tower"});
  EXPECT_THAT(found(store, "And Orm Tower, who is its head these days?"), ElementsAre("Ida"));
}

TEST(FactStore, BadFactsAreRefused) {
  FactStore store = two_facts();
  EXPECT_THAT(test::message_of<DataError>([&] {
                store.add({" ", "a", "en"});
              }),
              HasSubstr("question: expected a text that is not blank"));
  EXPECT_THAT(test::message_of<DataError>([&] {
                store.add({"q", "\xff", "en"});
              }),
              HasSubstr("answer: expected UTF-8"));
  EXPECT_THROW(store.add({"q", "a", "xx"}), ConfigError);
  EXPECT_EQ(store.size(), 2);
}

TEST(FactStore, WhatItWritesIsAFileOfFacts) {
  const test::TempFolder folder;
  FactStore store = two_facts();
  store.remove(0);
  store.add({"Wer leitet \"Orm\"?", "Ida", "de", "Orm"});

  const EditFile file = benchmark_of("facts").read(folder.write("f.jsonl", store.json_lines()));

  ASSERT_EQ(file.rows.size(), 2U);
  EXPECT_EQ(file.rows[0].sides.at("en").alt, "Bo Tey");
  EXPECT_EQ(file.rows[1].sides.at("de").src, "Wer leitet \"Orm\"?");
  EXPECT_EQ(file.rows[1].sides.at("de").subject, "Orm");
}

TEST(FactStore, RecordsOfAFileAreWrittenWhole) {
  EditRecord record;
  record.sides["en"] = {.subject = "S", .src = "q", .alt = "a", .rephrases = {"r"}, .probes = {}};
  record.sides["de"] = {.subject = "S", .src = "f", .alt = "a", .rephrases = {}, .probes = {}};
  const std::vector<WordedFact> facts{{{"q", "a", "en", 0}, {{"q", "S"}}}};
  const FactStore store({std::make_unique<LetterFinder>(facts), {record}});
  EXPECT_EQ(
      store.json_lines(),
      R"({"subject":{"de":"S","en":"S"},"question":{"de":"f","en":"q"},"answer":{"de":"a","en":"a"},"rephrase":{"en":["r"]}})"
      "\n");
}

}  // namespace
}  // namespace xkde::ask
