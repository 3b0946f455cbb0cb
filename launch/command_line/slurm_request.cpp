#include "launch/command_line/slurm_request.h"

#include <cmath>

#include <fmt/format.h>

namespace xkde {
namespace {

constexpr double kMemoryToSpare = 1.1;
constexpr double kTimeToSpare = 1.25;
constexpr int64_t kStartMinutes = 10;  // opening files, the first save, the end
constexpr int64_t kGibibyte = int64_t{1} << 30;

int64_t minutes_of(double seconds) { return static_cast<int64_t>(std::ceil(seconds / 60.0)); }

std::string nodes_text(const SlurmRequest& request) {
  const int nodes = (request.ranks + request.most_on_node - 1) / request.most_on_node;
  const bool is_even = request.ranks % nodes == 0;
  const int on_node = is_even ? request.ranks / nodes : request.most_on_node;
  std::string text = fmt::format("#SBATCH --nodes={}\n", nodes);
  // SLURM then reads the next line as an upper limit.
  if (!is_even) text += fmt::format("#SBATCH --ntasks={}\n", request.ranks);
  text += fmt::format("#SBATCH --ntasks-per-node={}\n", on_node);
  if (request.uses_gpus) text += fmt::format("#SBATCH --gpus-per-node={}\n", on_node);
  if (request.threads > 0) text += fmt::format("#SBATCH --cpus-per-task={}\n", request.threads);
  if (request.rank_bytes == 0) return text + "# memory is not predicted: no stage trains\n";
  const double bytes = kMemoryToSpare * static_cast<double>(request.rank_bytes) * on_node;
  return text +
         fmt::format("#SBATCH --mem={}G\n", static_cast<int64_t>(std::ceil(bytes / kGibibyte)));
}

std::string time_text(const SlurmRequest& request) {
  if (!request.untimed.empty()) {
    const std::string training =
        request.seconds > 0 ? fmt::format("training takes {} min; ", minutes_of(request.seconds))
                            : "";
    return fmt::format("# time: {}not predicted: {}\n", training, fmt::join(request.untimed, ", "));
  }
  if (request.seconds <= 0) return "";
  const int64_t minutes = minutes_of(kTimeToSpare * request.seconds) + kStartMinutes;
  return fmt::format("#SBATCH --time={:02}:{:02}:00\n", minutes / 60, minutes % 60);
}

}  // namespace

std::string sbatch_lines(const SlurmRequest& request) {
  return "# " + request.about + "\n" + nodes_text(request) + time_text(request);
}

}  // namespace xkde
