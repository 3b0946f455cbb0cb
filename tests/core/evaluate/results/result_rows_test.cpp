#include "core/evaluate/results/result_rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "tests/support/message_of.h"

namespace xkde {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

ResultRow row() {
  ResultRow one{.scope = {.benchmark = "zsre",
                          .phase = "before",
                          .mode = "sequential",
                          .size = 100,
                          .method = "memit",
                          .eval_when = "end"},
                .edit_language = "en",
                .test_language = "en",
                .metric = "reliability",
                .value = 96.5,
                .n = 1304};
  one.scope.records = 1304;
  one.scope.order = kFileOrder;
  one.scope.batch = 10;
  one.scope.run_seed = 42;
  return one;
}

ResultRow again(const ResultRow& one) {
  return parse_results(results_json({one}), "results.json").front();
}

TEST(ResultRows, HaveBatchNumberOrderAndSeeds) {
  const Json json = result_json(row());
  EXPECT_EQ(json["size"], 100);
  EXPECT_EQ(json["batch"], 10);
  EXPECT_EQ(json["records"], 1304);
  EXPECT_EQ(json["order"], "file");
  EXPECT_TRUE(json["seed"].is_null());
  EXPECT_EQ(json["run_seed"], 42);
  EXPECT_FALSE(json.contains("spread"));
  EXPECT_EQ(records_text(row()), "1304 in file order");

  ResultRow drawn = row();
  drawn.scope.order = kDrawnOrder;
  drawn.scope.seed = 7;
  EXPECT_EQ(result_json(drawn)["seed"], 7);
  EXPECT_EQ(records_text(drawn), "1304 drawn by seed 7");
  EXPECT_EQ(again(drawn).scope.seed, 7);
  drawn.scope.seed.reset();
  drawn.num_seeds = 3;
  EXPECT_EQ(records_text(drawn), "1304 drawn by 3 seeds");
}

TEST(ResultRows, ComeBackFromTheirFile) {
  ResultRow one = row();
  one.published = {{96.77, "EasyEdit", "Llama-2-7B", "paper"},
                   {95.21, "X-KDE", "Llama-2-7B-chat", "paper*"}};
  const ResultRow read = again(one);
  EXPECT_EQ(read.published, one.published);
  EXPECT_EQ(read.scope.batch, 10);
  EXPECT_EQ(read.scope.records, 1304);
  EXPECT_EQ(read.scope.order, "file");
  EXPECT_EQ(read.scope.run_seed, 42);
  EXPECT_EQ(result_json(read), result_json(one));
}

TEST(ResultRows, OfAnEarlierVersionAreRead) {
  Json json = results_json({row()});
  for (const char* key : {"batch", "records", "order", "seed", "run_seed"}) json[0].erase(key);
  const ResultRow read = parse_results(json, "results.json").front();
  EXPECT_EQ(records_text(read), "");
  EXPECT_THAT(read.published, IsEmpty());
}

TEST(ResultRows, PublishedValuesOfAnotherShapeAreRefused) {
  Json json = results_json({row()});
  const auto message = [&] {
    return test::message_of<DataError>([&] { parse_results(json, "results.json"); });
  };
  json[0]["published"] = 3;
  EXPECT_EQ(message(), "results.json: row 0: published: expected a list, found 3");
  json[0]["published"] = {3};
  EXPECT_EQ(message(), "results.json: row 0: published: expected a list of objects, found 3");
  json[0]["published"] = {{{"value", "much"}}};
  EXPECT_EQ(message(), "results.json: row 0: published: value: expected a number, found \"much\"");
}

TEST(PublishedText, MarksWhatIsQuotedAndNamesEachPaperOnce) {
  ResultRow one = row();
  EXPECT_EQ(published_text(one), "");
  const ResultRow* bare[] = {&one};
  EXPECT_EQ(published_note(bare), "");

  ResultRow other = row();
  one.published = {{99.9, "X-KDE", "Llama-2-7B-chat", "paper*"}};
  other.published = {{99.9, "X-KDE", "Llama-2-7B-chat", "paper*"},
                     {96.77, "EasyEdit", "L", "paper"}};
  EXPECT_EQ(published_text(other), "99.90*, 96.77");
  const ResultRow* both[] = {&one, &other};
  EXPECT_EQ(
      published_note(both),
      "published: X-KDE (Llama-2-7B-chat); EasyEdit (L); * as notes about the paper quote it, "
      "not checked");
}

}  // namespace
}  // namespace xkde
