#include "stages/report/size_charts.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace xkde::report {
namespace {

using testing::HasSubstr;
using testing::Not;

/// A run whose evaluations, by method, have a row of reliability for each benchmark and size.
class Figures : public testing::Test {
 protected:
  void add(const std::string& method, const std::string& benchmark, int64_t size, double value) {
    auto found = std::ranges::find(run_.evaluations, method, &Evaluation::label);
    if (found == run_.evaluations.end()) {
      run_.evaluations.push_back({.stage = "01-evaluate", .label = method, .rows = {}});
      found = run_.evaluations.end() - 1;
    }
    found->rows.push_back({.scope = {.benchmark = benchmark,
                                     .phase = "after",
                                     .mode = "batch",
                                     .size = size,
                                     .method = method},
                           .edit_language = "en",
                           .test_language = "en",
                           .metric = "reliability",
                           .value = value,
                           .n = 10});
  }
  std::vector<EvaluationBlock> blocks() const { return evaluation_blocks({&run_, 1}); }

 private:
  RunResults run_;
};

TEST_F(Figures, AreMeansOverAllBenchmarks) {
  for (const int64_t size : {1, 100}) {
    add("rome", "zsre", size, 90.0);
    add("rome", "recent", size, 70.0);
    add("memit", "zsre", size, 40.0);
    add("memit", "recent", size, 20.0);
  }

  const std::string text = benchmark_means(blocks());

  EXPECT_THAT(text, HasSubstr("Means over benchmarks, batch"));
  EXPECT_THAT(text, HasSubstr("Means over zsre, recent, where all have a value."));
  EXPECT_THAT(text, HasSubstr("<th scope=\"row\">100</th><td class=\"l\">rome</td><td>80.00</td>"));
  EXPECT_THAT(text, HasSubstr("<td class=\"l\">memit</td><td>30.00</td><td>–</td>"));
  EXPECT_THAT(text, HasSubstr("<svg"));
  EXPECT_THAT(text, HasSubstr("edits in a batch"));
}

TEST_F(Figures, LeaveOutWhatABenchmarkHasNot) {
  add("rome", "zsre", 1, 90.0);
  add("rome", "recent", 1, 70.0);
  add("rome", "zsre", 100, 50.0);
  add("memit", "zsre", 1, 40.0);

  const std::string text = benchmark_means(blocks());

  EXPECT_THAT(text, HasSubstr("<td>80.00</td>"));
  EXPECT_THAT(text, Not(HasSubstr("<th scope=\"row\">100</th>")));
  EXPECT_THAT(text, Not(HasSubstr("memit")));
}

TEST_F(Figures, AreNotThereForOneBenchmark) {
  add("rome", "zsre", 1, 90.0);
  EXPECT_EQ(benchmark_means(blocks()), "");
}

TEST_F(Figures, ShowEachMetricWithAllMethods) {
  for (const int64_t size : {1, 100}) {
    add("rome", "zsre", size, 90.0);
    add("memit", "zsre", size, 40.0);
  }
  const std::string text = size_charts(blocks().front());
  EXPECT_THAT(text, HasSubstr(">reliability<"));
  EXPECT_THAT(text, HasSubstr(">memit<"));
}

}  // namespace
}  // namespace xkde::report
