#include "distributed/job/launcher.h"

#include <fstream>
#include <map>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/temp_folder.h"

namespace xkde::dist {
namespace {

using ::testing::HasSubstr;

const MpiLibrary kOpenMpi{"Open MPI v4.1.4", "/nowhere/lib/libmpi.so.40"};

std::optional<LauncherMismatch> mismatch(const std::map<std::string, std::string>& variables,
                                         int mpi_size = 1) {
  const auto environment = [&variables](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  };
  return launcher_mismatch(environment, mpi_size, kOpenMpi);
}

TEST(Launcher, OneProcessWithoutLauncherIsRight) { EXPECT_FALSE(mismatch({})); }

TEST(Launcher, SingletonsOfAnotherMpirunAreRefused) {
  const auto found = mismatch({{"OMPI_COMM_WORLD_SIZE", "4"}, {"OMPI_COMM_WORLD_RANK", "2"}});

  ASSERT_TRUE(found);
  EXPECT_EQ(found->rank, 2);
  EXPECT_EQ(found->message,
            "MPI (Open MPI v4.1.4, /nowhere/lib/libmpi.so.40): expected the 4 processes of an "
            "mpirun of Open MPI (OMPI_COMM_WORLD_SIZE=4), found 1; start with: the mpirun of Open "
            "MPI v4.1.4 -n 4 xkde_dist … (or unset OMPI_COMM_WORLD_SIZE to run one process)");
}

TEST(Launcher, SingletonsOfHydraAreRefused) {
  const auto by_pmi = mismatch({{"PMI_SIZE", "3"}, {"PMI_RANK", "1"}});
  const auto by_count = mismatch({{"MPI_LOCALNRANKS", "2"}, {"MPI_LOCALRANKID", "1"}});

  ASSERT_TRUE(by_pmi && by_count);
  EXPECT_EQ(by_pmi->rank, 1);
  EXPECT_THAT(by_pmi->message, HasSubstr("MPICH or Intel MPI, or srun --mpi=pmi2 (PMI_SIZE=3)"));
  EXPECT_THAT(by_count->message, HasSubstr("(MPI_LOCALNRANKS=2), found 1"));
}

TEST(Launcher, SingletonsOfSrunAreToldOfPmix) {
  const auto found =
      mismatch({{"SLURM_NTASKS", "4"}, {"SLURM_STEP_NUM_TASKS", "4"}, {"SLURM_PROCID", "0"}});

  ASSERT_TRUE(found);
  EXPECT_EQ(found->rank, 0);
  EXPECT_THAT(found->message, HasSubstr("processes of srun (SLURM_STEP_NUM_TASKS=4), found 1"));
  EXPECT_THAT(found->message, HasSubstr("srun --mpi=pmix -n 4 xkde_dist …, or the mpirun of"));
}

TEST(Launcher, AnAllocationOfManyTasksMayRunOneProcess) {
  EXPECT_FALSE(mismatch({{"SLURM_JOB_ID", "7"}, {"SLURM_NTASKS", "4"}, {"SLURM_PROCID", "0"}}));
  EXPECT_FALSE(mismatch({{"SLURM_NTASKS", "4"}, {"SLURM_STEP_NUM_TASKS", "1"}}));
}

TEST(Launcher, TheNearestLauncherDecides) {
  EXPECT_FALSE(mismatch({{"OMPI_COMM_WORLD_SIZE", "1"}, {"SLURM_STEP_NUM_TASKS", "4"}}));
  EXPECT_FALSE(mismatch({{"PMI_SIZE", "1"}, {"SLURM_STEP_NUM_TASKS", "4"}}));
}

TEST(Launcher, WhatMpiKnowsItselfIsRight) {
  EXPECT_FALSE(mismatch({{"OMPI_COMM_WORLD_SIZE", "4"}}, 4));
  // Several jobs by MPI's own means, as MPI_Comm_spawn.
  EXPECT_FALSE(mismatch({{"SLURM_STEP_NUM_TASKS", "2"}}, 8));
}

TEST(Launcher, WordsThatAreNoNumbersAreNoLaunchers) {
  EXPECT_FALSE(mismatch({{"PMI_SIZE", ""}, {"MPI_LOCALNRANKS", "4 of them"}}));
}

TEST(Launcher, FindsTheMpirunBesideItsLibrary) {
  const test::TempFolder folder;
  const std::filesystem::path root = folder.path();
  std::filesystem::create_directories(root / "opt/lib/x86_64");
  std::filesystem::create_directories(root / "opt/bin");
  std::ofstream(root / "opt/bin/mpirun") << "";

  const auto found = mpirun_of({"Open MPI v5.0.1", root / "opt/lib/x86_64/libmpi.so.40"});

  EXPECT_EQ(found, root / "opt/bin/mpirun");
  std::ofstream(root / "opt/bin/mpirun.openmpi") << "";
  EXPECT_EQ(mpirun_of({"Open MPI v5.0.1", root / "opt/lib/libmpi.so"}),
            root / "opt/bin/mpirun.openmpi");
}

}  // namespace
}  // namespace xkde::dist
