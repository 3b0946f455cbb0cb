#include "core/capability/capability_results.h"

#include <cmath>
#include <numbers>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "tests/support/message_of.h"

namespace xkde {
namespace {

using ::testing::HasSubstr;

ChoiceRow row(const std::string& language, std::vector<std::string> choices, size_t answer) {
  return {.id = "",
          .language = language,
          .context = "c",
          .choices = std::move(choices),
          .answer = answer,
          .line = 1};
}

CapabilityItem item(bool is_window, size_t place, std::vector<int64_t> tokens) {
  CapabilityItem item{.is_window = is_window, .row = place};
  for (const int64_t count : tokens)
    item.sequences.push_back(
        {.ids = {1}, .target_ids = std::vector<int64_t>(static_cast<size_t>(count), 5)});
  return item;
}

const ResultRow& of(const CapabilityResults& results, const std::string& metric,
                    const std::string& language) {
  for (const ResultRow& one : results.rows) {
    if (one.metric == metric && one.test_language == language) return one;
  }
  throw InternalError("no row " + metric);
}

TEST(CapabilityResults, EachLengthChoosesForItselfAndTheFirstOfEqualOnes) {
  // -6 is best; a character, -2 beats -3; a byte, "öö" has 4: -1.75 beats -2.
  const ChosenChoices chosen = chosen_choices(row("en", {"ab", "abcd", "öö"}, 0), {-6, -8, -7});
  const ChosenChoices equal = chosen_choices(row("en", {"ab", "ab"}, 0), {-6, -6});

  EXPECT_EQ(chosen.raw, 0U);
  EXPECT_EQ(chosen.norm, 1U);
  EXPECT_EQ(chosen.bytes, 2U);
  EXPECT_EQ(equal.raw, 0U);
}

TEST(CapabilityResults, AccuraciesAreByLanguage) {
  CapabilityOptions options;
  options.choices = {{.data = "q.jsonl", .name = "q"}};
  CapabilityInputs inputs;
  inputs.choices = {
      {row("en", {"ab", "abcd"}, 0), row("de", {"x", "y"}, 1), row("en", {"ab", "abcd"}, 0)}};
  const std::vector<CapabilityItem> items{item(false, 0, {1, 2}), item(false, 1, {1, 1}),
                                          item(false, 2, {1, 2})};
  const std::vector<LogLikelihoods> found{{-6, -8}, {-1, -2}, {-2, -8}};

  const CapabilityResults results = capability_results(options, inputs, items, found, "after", 1);

  ASSERT_EQ(results.rows.size(), 6U);
  EXPECT_EQ(of(results, "acc", "en").value, 100.0);
  EXPECT_EQ(of(results, "acc", "en").n, 2);
  EXPECT_EQ(of(results, "acc_norm", "en").value, 50.0);
  EXPECT_EQ(of(results, "acc_norm", "en").low, 0.0);
  EXPECT_EQ(of(results, "acc_norm", "en").high, 100.0);
  EXPECT_EQ(of(results, "acc", "de").value, 0.0);
  EXPECT_FALSE(results.rows.front().scope.asks_edits());
  ASSERT_EQ(results.predictions.size(), 3U);
  EXPECT_EQ(results.predictions[0].dump(),
            R"({"benchmark":"q","phase":"after","mode":"choices","language":"en","line":1,)"
            R"("answer":0,"log_likelihoods":[-6.0,-8.0],"tokens":[1,2],"chosen":0,)"
            R"("chosen_norm":1,"chosen_bytes":1,"cut":0,"acc":1.0,"acc_norm":0.0,)"
            R"("acc_bytes":0.0})");
  EXPECT_EQ(results.statistics["used"]["questions"], 3);
}

TEST(CapabilityResults, PerplexityIsOfAllTokensAndBitsOfAllBytes) {
  CapabilityOptions options;
  options.perplexity = {{.data = "t.txt", .name = "t", .lang = "de"}};
  CapabilityInputs inputs;
  inputs.perplexity = {{.documents = {{"öx", 1}, {"abcde", 2}}, .blank_lines = 4}};
  const std::vector<CapabilityItem> items{item(true, 0, {2}), item(true, 1, {3}),
                                          item(true, 1, {1})};
  const std::vector<LogLikelihoods> found{{-2}, {-3}, {-4}};

  const CapabilityResults results = capability_results(options, inputs, items, found, "before", 1);

  // 9 nats, 6 tokens, 3 + 5 bytes; a document has 1 or 7/4 nats a token.
  EXPECT_DOUBLE_EQ(*of(results, "nll", "de").value, 1.5);
  EXPECT_NEAR(*of(results, "perplexity", "de").value, std::exp(1.5), 5e-5);  // four decimals
  EXPECT_NEAR(*of(results, "bits_per_byte", "de").value, 9.0 / 8 / std::numbers::ln2, 5e-5);
  EXPECT_EQ(of(results, "nll", "de").n, 2);
  EXPECT_EQ(of(results, "nll", "de").low, 1.0);
  EXPECT_EQ(of(results, "nll", "de").high, 1.75);
  ASSERT_EQ(results.predictions.size(), 2U);
  EXPECT_EQ(results.predictions[1].dump(),
            R"({"benchmark":"t","phase":"before","mode":"perplexity","language":"de","line":2,)"
            R"("log_likelihood":-7.0,"tokens":4,"bytes":5,"windows":2})");
  EXPECT_EQ(results.statistics["skipped"]["blank lines"], 4);
}

TEST(CapabilityResults, OneDocumentHasNoInterval) {
  CapabilityOptions options;
  options.perplexity = {{.data = "t.txt", .name = "t"}};
  CapabilityInputs inputs;
  inputs.perplexity = {{.documents = {{"x", 1}}}};

  const CapabilityResults results =
      capability_results(options, inputs, std::vector{item(true, 0, {1})},
                         std::vector<LogLikelihoods>{{-2}}, "before", 1);

  EXPECT_FALSE(of(results, "nll", kUnknownLanguage).low.has_value());
  EXPECT_THAT(test::message_of<NumericError>([&] {
                capability_results(options, inputs, std::vector{item(true, 0, {1})},
                                   std::vector<LogLikelihoods>{{-1000}}, "before", 1);
              }),
              HasSubstr("t.txt: perplexity: expected a number, found e to the power of 1000"));
}

}  // namespace
}  // namespace xkde
