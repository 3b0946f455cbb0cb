#include "core/memory/fact_index.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "tests/support/message_of.h"

namespace xkde {
namespace {

using test::message_of;
using testing::HasSubstr;

constexpr float kNever = -std::numeric_limits<float>::infinity();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

at::Tensor noise(int64_t rows, int64_t width, uint64_t seed) {
  return at::randn({rows, width}, at::detail::createCPUGenerator(seed), at::kFloat);
}

/// Rows at length 1, rounded to fp32 as the index rounds them.
at::Tensor units(const at::Tensor& rows) {
  const at::Tensor wide = rows.to(at::kDouble);
  return (wide / wide.norm(2, {1}, /*keepdim=*/true)).to(at::kFloat).to(at::kDouble);
}

/// Every score, as a product in fp64 rounded to fp32.
std::vector<std::vector<Hit>> by_brute_force(const at::Tensor& facts, const at::Tensor& queries,
                                             int64_t k, const std::vector<FactRange>& ranges,
                                             float threshold) {
  const at::Tensor scores = at::mm(units(queries), units(facts).t()).to(at::kFloat);
  std::vector<std::vector<Hit>> all;
  for (int64_t i = 0; i < scores.size(0); ++i) {
    const float* row = scores.const_data_ptr<float>() + i * scores.size(1);
    const FactRange& range = ranges[static_cast<size_t>(i)];
    std::vector<Hit> hits;
    for (int64_t n = range.begin; n < range.end; ++n) {
      if (row[n] >= threshold) hits.push_back({n, row[n]});
    }
    const auto kept = std::min(hits.size(), static_cast<size_t>(k));
    std::partial_sort(hits.begin(), hits.begin() + static_cast<int64_t>(kept), hits.end(),
                      is_better);
    hits.resize(kept);
    all.push_back(std::move(hits));
  }
  return all;
}

/// The same facts in the same order; scores to the last bit of fp32, as sums in another order may
/// round to its neighbour.
void expect_equal(const std::vector<std::vector<Hit>>& found,
                  const std::vector<std::vector<Hit>>& expected, const std::string& what) {
  ASSERT_EQ(found.size(), expected.size());
  for (size_t q = 0; q < found.size(); ++q) {
    ASSERT_EQ(found[q].size(), expected[q].size()) << what << ", query " << q;
    for (size_t i = 0; i < found[q].size(); ++i) {
      ASSERT_EQ(found[q][i].fact, expected[q][i].fact) << what << ", query " << q << ", hit " << i;
      ASSERT_FLOAT_EQ(found[q][i].score, expected[q][i].score) << what << ", query " << q;
    }
  }
}

struct Data {
  std::string name;
  at::Tensor facts, queries;
};

constexpr int64_t kFacts = 4500;

/// Facts of several kinds, with queries near some of them and far from all.
std::vector<Data> kinds() {
  std::vector<Data> all;
  const at::Tensor isotropic = noise(kFacts, 100, 1);
  all.push_back({"isotropic", isotropic, at::cat({noise(10, 100, 2), isotropic.narrow(0, 7, 10)})});
  const at::Tensor decay = at::arange(1, 201, at::kFloat).pow(-0.7);
  const at::Tensor spectrum = noise(kFacts, 200, 3) * decay;
  all.push_back({"decaying", spectrum,
                 at::cat({noise(10, 200, 4) * decay, spectrum.narrow(0, 4000, 60) + 0.01})});
  const at::Tensor centres = noise(20, 64, 5);
  const at::Tensor clustered =
      centres.index_select(0, at::arange(kFacts) % 20) + 1e-3 * noise(kFacts, 64, 6);
  all.push_back({"clustered", clustered, at::cat({centres, noise(3, 64, 7)})});
  const at::Tensor few = noise(50, 24, 8);
  const at::Tensor repeated = few.index_select(0, at::arange(kFacts) * 7 % 50);
  all.push_back({"duplicates", repeated, at::cat({few.narrow(0, 0, 20), noise(5, 24, 9)})});
  // All facts within rounding of one: only exact arithmetic tells them apart.
  const at::Tensor ties = noise(1, 128, 10) + 3e-7 * noise(kFacts, 128, 11);
  all.push_back({"near ties", ties, at::cat({ties.narrow(0, 0, 5), noise(5, 128, 12)})});
  return all;
}

std::vector<FactRange> random_ranges(int64_t count, uint64_t seed) {
  const at::Tensor bounds = std::get<0>(
      at::randint(0, kFacts + 1, {count, 2}, at::detail::createCPUGenerator(seed), at::kLong)
          .sort(1));
  std::vector<FactRange> ranges;
  for (int64_t i = 0; i < count; ++i) {
    ranges.push_back({bounds[i][0].item<int64_t>(), bounds[i][1].item<int64_t>()});
  }
  return ranges;
}

FactIndex index_of(const at::Tensor& facts, FactIndexOptions options) {
  FactIndex index(facts.size(1), options);
  index.append(facts);
  return index;
}

/// Codes from the first chunk on, with and without special instructions; and no codes at all.
const std::vector<FactIndexOptions> kRoads = {
    {.codes_from = 1}, {.codes_from = 1, .portable = true}, {.codes_from = kFacts + 1}};

TEST(FactIndex, EqualsBruteForceOnAllFacts) {
  for (const Data& data : kinds()) {
    const std::vector<FactRange> all(static_cast<size_t>(data.queries.size(0)), {0, kFacts});
    const auto expected = by_brute_force(data.facts, data.queries, 10, all, kNever);
    for (const FactIndexOptions& options : kRoads) {
      const FactIndex index = index_of(data.facts, options);

      expect_equal(index.top_k(data.queries, 10), expected, data.name);
    }
  }
}

TEST(FactIndex, EqualsBruteForceInRangesAndAboveThresholds) {
  for (const Data& data : kinds()) {
    const auto ranges = random_ranges(data.queries.size(0), 13);
    for (const float threshold : {kNever, 0.3F, 0.99F}) {
      const auto expected = by_brute_force(data.facts, data.queries, 3, ranges, threshold);
      for (const FactIndexOptions& options : kRoads) {
        const FactIndex index = index_of(data.facts, options);

        expect_equal(index.top_k(data.queries, 3, ranges, threshold), expected, data.name);
      }
    }
  }
}

TEST(FactIndex, GivesPrefixesOfAGrowingListInOneCall) {
  const at::Tensor facts = noise(kFacts, 48, 20);
  const at::Tensor queries = noise(100, 48, 21);
  std::vector<FactRange> prefixes;
  for (int64_t i = 0; i < 100; ++i) prefixes.push_back({0, i * 45});
  const auto expected = by_brute_force(facts, queries, 1, prefixes, kNever);

  FactIndex index(48, {.codes_from = 1});
  for (int64_t i = 0; i < kFacts; i += 500) {
    index.append(facts.narrow(0, i, 500));
    std::vector<FactRange> now = prefixes;
    for (FactRange& range : now) range.end = std::min(range.end, index.size());
    expect_equal(index.top_k(queries, 1, now), by_brute_force(facts, queries, 1, now, kNever),
                 "growing");
  }

  expect_equal(index.top_k(queries, 1, prefixes), expected, "prefixes");
}

TEST(FactIndex, GivesFewerWhereARangeHasFewer) {
  const FactIndex index = index_of(noise(5, 8, 30), {});
  const std::vector<FactRange> ranges = {{0, 0}, {2, 4}, {0, 5}};

  const auto hits = index.top_k(noise(3, 8, 31), 4, ranges);

  EXPECT_EQ(hits[0].size(), 0U);
  EXPECT_EQ(hits[1].size(), 2U);
  EXPECT_EQ(hits[2].size(), 4U);
  EXPECT_EQ(FactIndex(8).top_k(noise(2, 8, 32), 1), std::vector<std::vector<Hit>>(2));
}

TEST(FactIndex, AScoreDependsOnTheTwoVectorsOnly) {
  const at::Tensor facts = noise(kFacts, 77, 40);
  const at::Tensor query = noise(1, 77, 41);
  const std::vector<Hit> alone = index_of(facts.narrow(0, 4321, 1), {}).top_k(query, 1)[0];
  const at::Tensor beside = at::cat({noise(40, 77, 42), query, noise(50, 77, 43)});

  const auto all = index_of(facts, {.codes_from = 1}).top_k(beside, kFacts)[40];

  const auto found =
      std::find_if(all.begin(), all.end(), [](const Hit& h) { return h.fact == 4321; });
  ASSERT_NE(found, all.end());
  EXPECT_EQ(found->score, alone[0].score);
}

TEST(FactIndex, ThreadsDoNotChangeWhatIsFound) {
  const FactIndex index = index_of(noise(kFacts, 64, 50), {.codes_from = 1});
  const at::Tensor queries = noise(70, 64, 51);
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const auto one = index.top_k(queries, 5);
  at::set_num_threads(3);
  const auto three = index.top_k(queries, 5);
  at::set_num_threads(before);

  EXPECT_EQ(one, three);
}

TEST(FactIndex, LengthsOfVectorsDoNotMatter) {
  const at::Tensor facts = noise(300, 32, 60);
  const at::Tensor queries = noise(4, 32, 61);

  // Powers of two, so that the numbers themselves are the same.
  const auto scaled = index_of(facts * 1024, {}).top_k(queries / 4, 5);

  EXPECT_EQ(scaled, index_of(facts, {}).top_k(queries, 5));
}

TEST(FactIndex, RefusesVectorsWithoutADirection) {
  FactIndex index(4);
  index.append(at::ones({2, 4}));
  at::Tensor bad = at::ones({2, 4});
  bad[1] = 0;
  EXPECT_EQ(message_of<DataError>([&] { index.append(bad); }),
            "fact 3: expected a direction, found the zero vector");
  bad[1] = kInfinity;
  EXPECT_THAT(message_of<DataError>([&] { (void)index.top_k(bad, 1); }),
              HasSubstr("query 1: expected finite numbers"));

  EXPECT_THAT(message_of<DataError>([&] {
                index.append(at::ones({2, 5}));
              }),
              HasSubstr("expected embeddings [N, 4], found [2, 5]"));
  EXPECT_THAT(message_of<DataError>([&] {
                index.append(at::ones({2, 4}, at::kDouble));
              }),
              HasSubstr("expected embeddings of fp32 on the CPU, found Double"));
  EXPECT_EQ(index.size(), 2);
}

TEST(FactIndex, RefusesRangesThatItDoesNotHave) {
  const FactIndex index = index_of(at::ones({3, 4}), {});
  const std::vector<FactRange> beyond = {{1, 4}};

  EXPECT_THAT(message_of<InternalError>([&] {
                (void)index.top_k(at::ones({1, 4}), 1, beyond);
              }),
              HasSubstr("expected a range of the 3 facts, found [1, 4)"));
  EXPECT_THAT(message_of<InternalError>([&] {
                (void)index.top_k(at::ones({2, 4}), 1, beyond);
              }),
              HasSubstr("expected a range for each of 2 queries, found 1"));
}

}  // namespace
}  // namespace xkde
