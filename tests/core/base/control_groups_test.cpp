#include "core/base/control_groups.h"

#include <limits>
#include <string>

#include <gtest/gtest.h>

#include "tests/support/temp_folder.h"

namespace xkde {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kNoLimit = std::numeric_limits<int64_t>::max();
constexpr double kNoQuota = std::numeric_limits<double>::infinity();

class ControlGroups : public testing::Test {
 protected:
  void limit(const std::string& file, const std::string& text) {
    fs::create_directories((folder_.path() / file).parent_path());
    folder_.write(file, text);
  }
  int64_t limit_of(const std::string& membership) {
    return cgroup_memory_limit(folder_.write("membership", membership), folder_.path());
  }
  double quota_of(const std::string& membership) {
    return cgroup_cpu_quota(folder_.write("membership", membership), folder_.path());
  }
  test::TempFolder folder_;
};

using CgroupMemoryLimit = ControlGroups;
using CgroupCpuQuota = ControlGroups;

TEST_F(CgroupMemoryLimit, IsTheLowestOfTheGroupAndThoseAboveIt) {
  limit("memory.max", "max\n");
  limit("job/memory.max", "4000\n");
  limit("job/step/memory.max", "9000\n");

  EXPECT_EQ(limit_of("0::/job/step\n"), 4000);
  EXPECT_EQ(limit_of("0::/other\n"), kNoLimit);
}

TEST_F(CgroupMemoryLimit, InAContainerIsThatOfTheRootItSees) {
  limit("memory.max", "7000\n");

  EXPECT_EQ(limit_of("0::/docker/0123abcd\n"), 7000);
}

TEST_F(CgroupMemoryLimit, ReadsTheMemoryHierarchyOfVersion1) {
  limit("memory/memory.limit_in_bytes", "9223372036854771712\n");
  limit("memory/job/memory.limit_in_bytes", "5000\n");

  EXPECT_EQ(limit_of("12:cpu,cpuacct:/job\n9:memory:/job\n"), 5000);
  EXPECT_EQ(limit_of("9:hugetlb,memory:/job\n"), 5000);
  EXPECT_EQ(limit_of("12:cpu:/job\n"), kNoLimit);
}

TEST_F(CgroupMemoryLimit, IsNoneWhereNothingCanBeRead) {
  EXPECT_EQ(limit_of(""), kNoLimit);
  EXPECT_EQ(limit_of("not a membership\n"), kNoLimit);
  EXPECT_EQ(cgroup_memory_limit(folder_.path() / "none", folder_.path()), kNoLimit);
}

TEST_F(CgroupCpuQuota, IsTheLowestOfTheGroupAndThoseAboveIt) {
  limit("job/cpu.max", "250000 100000\n");
  limit("job/step/cpu.max", "max 100000\n");
  limit("job/step/task/cpu.max", "400000 100000\n");

  EXPECT_EQ(quota_of("0::/job/step/task\n"), 2.5);
  EXPECT_EQ(quota_of("0::/other\n"), kNoQuota);
}

TEST_F(CgroupCpuQuota, ReadsTheCpuHierarchyOfVersion1) {
  limit("cpu/cpu.cfs_quota_us", "-1\n");
  limit("cpu/cpu.cfs_period_us", "100000\n");
  limit("cpu/job/cpu.cfs_quota_us", "150000\n");
  limit("cpu/job/cpu.cfs_period_us", "50000\n");

  EXPECT_EQ(quota_of("4:cpu,cpuacct:/job\n"), 3.0);
  EXPECT_EQ(quota_of("4:cpuacct,cpu:/\n"), kNoQuota);
  EXPECT_EQ(quota_of("4:cpuset:/job\n"), kNoQuota);
}

TEST_F(CgroupCpuQuota, IsNoneWhereNothingSensibleCanBeRead) {
  limit("cpu.max", "many\n");
  limit("job/cpu.max", "100000 0\n");

  EXPECT_EQ(quota_of("0::/job\n"), kNoQuota);
  EXPECT_EQ(quota_of(""), kNoQuota);
}

}  // namespace
}  // namespace xkde
