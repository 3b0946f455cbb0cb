
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "distributed/comm/thread_communicator.h"
#include "tests/distributed/memory_search/memory_search_support.h"
#include "tests/support/message_of.h"

namespace xkde::dist {
namespace {

using test::message_of;
using testing::HasSubstr;

class MemorySearch : public testing::TestWithParam<int> {};

TEST_P(MemorySearch, FindsWhatOneIndexFinds) { run_ranks(GetParam(), expect_search_of_one_index); }

TEST_P(MemorySearch, EmbedsWhatOneRankEmbeds) {
  run_ranks(GetParam(), expect_embeddings_of_one_rank);
}

INSTANTIATE_TEST_SUITE_P(Ranks, MemorySearch, testing::Values(1, 2, 3));

TEST(MemorySearch, RanksMayHoldNoFacts) {
  run_ranks(3, [](Communicator& comm) {
    const at::Tensor all = at::eye(4).narrow(0, 0, 2);
    const FactSearch search(comm.rank() == 1 ? all : all.narrow(0, 0, 0), comm);
    const std::vector<FactRange> ranges = {{0, 2}};

    const auto hits = search.top_k(at::eye(4).narrow(0, 1, 1), 3, ranges);

    ASSERT_EQ(hits[0].size(), 2U);
    EXPECT_EQ(hits[0][0], (Hit{1, 1.0F}));
    EXPECT_EQ(hits[0][1], (Hit{0, 0.0F}));
  });
}

TEST(MemorySearch, RefusesDifferingWidthsAndRangesBeyondItsFacts) {
  EXPECT_THAT(message_of([] {
                run_ranks(2, [](Communicator& comm) {
                  (void)FactSearch(at::ones({2, 4 + comm.rank()}), comm);
                });
              }),
              HasSubstr("expected embeddings of width"));
  EXPECT_THAT(message_of([] {
                run_ranks(2, [](Communicator& comm) {
                  const std::vector<FactRange> ranges = {{0, 5}};
                  (void)FactSearch(at::ones({2, 4}), comm).top_k(at::ones({1, 4}), 1, ranges);
                });
              }),
              HasSubstr("expected a range of the 4 facts, found [0, 5)"));
}

}  // namespace
}  // namespace xkde::dist
