#include "launch/command_line/slurm_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace xkde {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

SlurmRequest gpus(int ranks) {
  return {.about = "a run",
          .ranks = ranks,
          .most_on_node = 8,
          .uses_gpus = true,
          .rank_bytes = 10'000'000'000};
}

TEST(SlurmRequest, IsWhatAScriptBeginsWith) {
  SlurmRequest request = gpus(8);
  request.seconds = 3601;

  EXPECT_EQ(sbatch_lines(request),
            "# a run\n"
            "#SBATCH --nodes=1\n"
            "#SBATCH --ntasks-per-node=8\n"
            "#SBATCH --gpus-per-node=8\n"
            "#SBATCH --mem=82G\n"
            "#SBATCH --time=01:26:00\n");
}

TEST(SlurmRequest, FillsNodesEvenlyWherePossible) {
  EXPECT_THAT(sbatch_lines(gpus(16)), HasSubstr("--nodes=2\n#SBATCH --ntasks-per-node=8\n"));
  EXPECT_THAT(sbatch_lines(gpus(12)), HasSubstr("--nodes=2\n#SBATCH --ntasks-per-node=6\n"));
  EXPECT_THAT(sbatch_lines(gpus(12)), HasSubstr("--gpus-per-node=6\n"));
  EXPECT_THAT(sbatch_lines(gpus(13)),
              HasSubstr("--nodes=2\n#SBATCH --ntasks=13\n#SBATCH --ntasks-per-node=8\n"));
}

TEST(SlurmRequest, OfCpusHasThreadsAndNoGpus) {
  const std::string text = sbatch_lines(
      {.about = "a run", .ranks = 2, .most_on_node = 2, .threads = 4, .rank_bytes = 400'000'000});

  EXPECT_THAT(text, HasSubstr("#SBATCH --cpus-per-task=4\n#SBATCH --mem=1G\n"));
  EXPECT_THAT(text, Not(HasSubstr("gpus")));
  EXPECT_THAT(text, Not(HasSubstr("time")));
}

TEST(SlurmRequest, DoesNotGuess) {
  SlurmRequest request = gpus(1);
  request.rank_bytes = 0;
  request.untimed = {"01-evaluate", "03-evaluate"};

  EXPECT_THAT(sbatch_lines(request), HasSubstr("# memory is not predicted: no stage trains\n"));
  EXPECT_THAT(sbatch_lines(request),
              HasSubstr("# time: not predicted: 01-evaluate, 03-evaluate\n"));
  EXPECT_THAT(sbatch_lines(request), Not(HasSubstr("--mem")));

  request.seconds = 61;
  EXPECT_THAT(sbatch_lines(request), HasSubstr("# time: training takes 2 min; not predicted: 01-"));
}

}  // namespace
}  // namespace xkde
