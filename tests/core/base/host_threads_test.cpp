#include "core/base/host_threads.h"

#include <cstdlib>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

namespace xkde {
namespace {

constexpr double kUnlimited = std::numeric_limits<double>::infinity();

using Cpus = std::vector<std::vector<int>>;

/// Sets OMP_NUM_THREADS, or unsets it, while it lives.
class Environment {
 public:
  explicit Environment(const char* threads) {
    const char* const before = std::getenv(kName);
    if (before != nullptr) before_ = before;
    set(threads);
  }
  ~Environment() { set(before_.empty() ? nullptr : before_.c_str()); }

 private:
  static constexpr const char* kName = "OMP_NUM_THREADS";
  static void set(const char* value) {
    value == nullptr ? ::unsetenv(kName) : ::setenv(kName, value, 1);
  }
  std::string before_;
};

TEST(FairThreads, AProcessAloneHasAllItsCpus) {
  EXPECT_EQ(fair_threads(Cpus{{0, 1, 2, 3}}, 0, kUnlimited), 4);
  EXPECT_EQ(fair_threads(Cpus{{5}}, 0, kUnlimited), 1);
}

TEST(FairThreads, ProcessesShareTheCpusThatBothMayUse) {
  const std::vector<int> all{0, 1, 2, 3, 4, 5, 6, 7};

  EXPECT_EQ(fair_threads(Cpus{all, all}, 1, kUnlimited), 4);
  EXPECT_EQ(fair_threads(Cpus{all, all, all}, 0, kUnlimited), 2);
  EXPECT_EQ(fair_threads(Cpus{{0, 1, 2}, {0, 1, 2}, {0, 1, 2}}, 0, kUnlimited), 1);
  EXPECT_EQ(fair_threads(Cpus{{0, 1}, {0, 1}, {0, 1}}, 2, kUnlimited), 1);
}

TEST(FairThreads, ProcessesThatAreBoundKeepTheirOwnCpus) {
  const Cpus bound{{0, 1, 2, 3}, {4, 5}, {4, 5}};

  EXPECT_EQ(fair_threads(bound, 0, kUnlimited), 4);
  EXPECT_EQ(fair_threads(bound, 1, kUnlimited), 1);
}

TEST(FairThreads, AQuotaIsSharedByAllProcesses) {
  const std::vector<int> all{0, 1, 2, 3, 4, 5, 6, 7};

  EXPECT_EQ(fair_threads(Cpus{all}, 0, 2.5), 2);
  EXPECT_EQ(fair_threads(Cpus{all, all}, 0, 6.0), 3);
  EXPECT_EQ(fair_threads(Cpus{all, all}, 0, 0.5), 1);
}

TEST(FairThreads, AProcessWhoseCpusAreUnknownHasOne) {
  EXPECT_EQ(fair_threads(Cpus{{}, {0}}, 0, kUnlimited), 1);
}

/// In a process of its own, as affinity cannot always be widened again.
void bind_to_one_cpu() {
  const Environment none(nullptr);
  const int first = cpus_of_process().front();
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<size_t>(first), &set);
  if (::sched_setaffinity(0, sizeof set, &set) != 0) _exit(2);
  const bool one = cpus_of_process() == std::vector{first} && usable_cpus() == 1;
  _exit(one && threads_of_process(0, 1) == 1 && threads_of_process(3, 1) == 3 ? 0 : 1);
}

TEST(CpusOfProcess, FollowTheAffinity) {
  ASSERT_FALSE(cpus_of_process().empty());
  EXPECT_LE(usable_cpus(), static_cast<int>(cpus_of_process().size()));
  EXPECT_EXIT(bind_to_one_cpu(), testing::ExitedWithCode(0), "");
}

TEST(ThreadsOfProcess, AreWhatWasAskedForOrAnEqualShare) {
  const Environment none(nullptr);
  const int cpus = usable_cpus();

  EXPECT_EQ(threads_of_process(3, 100), 3);
  EXPECT_EQ(threads_of_process(0, 1), cpus);
  EXPECT_EQ(threads_of_process(0, cpus), 1);
  EXPECT_EQ(threads_of_process(0, 10 * cpus), 1);
}

TEST(ThreadsOfProcess, ComeFromTheEnvironmentUnlessAskedFor) {
  const Environment five("5,2");

  EXPECT_EQ(threads_of_environment(), 5);
  EXPECT_EQ(threads_of_process(0, 100), 5);
  EXPECT_EQ(threads_of_process(3, 100), 3);
}

TEST(ThreadsOfEnvironment, AreNoneWhereItNamesNoNumber) {
  for (const char* text : {"", "many", "-2", "0"}) {
    const Environment environment(text);
    EXPECT_EQ(threads_of_environment(), 0) << text;
  }
}

}  // namespace
}  // namespace xkde
