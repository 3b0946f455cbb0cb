#include "stages/run/rank_threads.h"

#include <cstdlib>

#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/host_threads.h"
#include "distributed/comm/thread_communicator.h"

namespace xkde::recipe {
namespace {

using testing::HasSubstr;

const std::vector<int> kFour{0, 1, 2, 3};

TEST(ThreadsWarning, IsNoneWhereEveryRankHasItsThreads) {
  EXPECT_EQ(threads_warning({{.usable = 4, .asked_threads = 4}}, {kFour}, {"a"}, "x"), "");
  EXPECT_EQ(threads_warning({{.usable = 4}}, {kFour}, {"a"}, "x"), "");
}

TEST(ThreadsWarning, NamesTheRankWithMoreThreadsThanCpus) {
  const std::vector<RankCpus> ranks{{.usable = 4, .asked_threads = 3},
                                    {.usable = 1, .asked_threads = 3}};

  EXPECT_EQ(threads_warning(ranks, {kFour, {7}}, {"a", "b"}, "parallel.threads"),
            "parallel.threads: 3 threads on the 1 CPU that rank 1 may use");
}

TEST(ThreadsWarning, TellsHowMpirunBindsNoRank) {
  const std::vector<RankCpus> asked{{.usable = 1, .without_bind = 1, .asked_threads = 2}};
  EXPECT_THAT(threads_warning(asked, {{0}}, {"a"}, "OMP_NUM_THREADS"),
              HasSubstr("OMP_NUM_THREADS: 2 threads on the 1 CPU that rank 0 may use; mpirun"));

  const std::vector<RankCpus> bound(2, {.usable = 1, .without_bind = 64});
  EXPECT_THAT(threads_warning(bound, {{0}, {1}}, {"a", "a"}, "x"),
              HasSubstr("the ranks of host a may use 2 of 64 CPUs: mpirun"));
}

TEST(ThreadsWarning, IsNoneWhereBoundRanksShareMostOfTheHost) {
  const std::vector<RankCpus> bound(2, {.usable = 1, .without_bind = 2});

  EXPECT_EQ(threads_warning(bound, {{0}, {1}}, {"a", "a"}, "x"), "");
}

// OpenMP keeps the number for each thread that sets it: here, for each rank.

TEST(SetThreadsOfRank, TakesWhatTheRecipeAsksFor) {
  dist::run_ranks(1, [](dist::Communicator& comm) {
    set_threads_of_rank(3, comm);
    EXPECT_EQ(at::get_num_threads(), 3);
  });
}

TEST(SetThreadsOfRank, SharesTheCpusOfAHost) {
  ::unsetenv("OMP_NUM_THREADS");
  const int cpus = usable_cpus();

  for (const int ranks : {1, cpus}) {
    dist::run_ranks(ranks, [&](dist::Communicator& comm) {
      set_threads_of_rank(0, comm);
      EXPECT_EQ(at::get_num_threads(), cpus / ranks);
    });
  }
}

TEST(SetThreadsOfRank, LeavesTheNumberOfTheEnvironment) {
  ::setenv("OMP_NUM_THREADS", "2", 1);

  dist::run_ranks(1, [](dist::Communicator& comm) {
    set_threads_of_rank(0, comm);
    EXPECT_EQ(at::get_num_threads(), 2);
  });
  ::unsetenv("OMP_NUM_THREADS");
}

}  // namespace
}  // namespace xkde::recipe
