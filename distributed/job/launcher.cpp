#include "distributed/job/launcher.h"

#include <charconv>
#include <string_view>
#include <system_error>
#include <vector>

#include <fmt/format.h>

namespace xkde::dist {
namespace {

namespace fs = std::filesystem;

struct Launcher {
  const char* count;  ///< the variable that holds the number of processes
  const char* rank;   ///< the variable that holds the own number
  const char* words;
  bool is_srun = false;
};

// From the nearest outwards: mpirun and mpiexec may run inside a step of srun, and start their own
// helpers by it on other hosts.
constexpr Launcher kLaunchers[] = {
    {"OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", "an mpirun of Open MPI"},
    {"PMI_SIZE", "PMI_RANK", "an mpiexec of MPICH or Intel MPI, or srun --mpi=pmi2"},
    {"MPI_LOCALNRANKS", "MPI_LOCALRANKID", "an mpiexec of MPICH or Intel MPI"},
    {"SLURM_STEP_NUM_TASKS", "SLURM_PROCID", "srun", true},
};

std::optional<int> number_in(const Environment& environment, const char* name) {
  const char* text = environment(name);
  if (text == nullptr) return std::nullopt;
  const std::string_view digits(text);
  int value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

std::string right_command(const Launcher& launcher, int count, const MpiLibrary& library) {
  const auto found = mpirun_of(library);
  const std::string mpirun = found ? found->string() : "the mpirun of " + library.version;
  const std::string own = fmt::format("{} -n {} xkde_dist …", mpirun, count);
  return launcher.is_srun ? fmt::format("srun --mpi=pmix -n {} xkde_dist …, or {}", count, own)
                          : own;
}

}  // namespace

std::optional<fs::path> mpirun_of(const MpiLibrary& library) {
  const bool open_mpi = library.version.starts_with("Open MPI");
  const std::vector<const char*> names =
      open_mpi ? std::vector{"mpirun.openmpi", "mpirun"}
               : std::vector{"mpirun.mpich", "mpiexec.hydra", "mpirun"};
  std::error_code ignored;
  // Behind links the file lies beside its library's own programs.
  const fs::path file = fs::weakly_canonical(library.path, ignored);
  for (fs::path folder = file.parent_path(); folder.has_relative_path();
       folder = folder.parent_path()) {
    for (const char* name : names) {
      std::error_code error;
      if (fs::exists(folder / "bin" / name, error)) return folder / "bin" / name;
    }
  }
  return std::nullopt;
}

std::optional<LauncherMismatch> launcher_mismatch(const Environment& environment, int mpi_size,
                                                  const MpiLibrary& library) {
  if (mpi_size > 1) return std::nullopt;
  for (const Launcher& launcher : kLaunchers) {
    const std::optional<int> count = number_in(environment, launcher.count);
    if (!count) continue;
    if (*count <= 1) return std::nullopt;
    const std::string place =
        library.path.empty() ? library.version : library.version + ", " + library.path.string();
    return LauncherMismatch{
        .rank = number_in(environment, launcher.rank).value_or(0),
        .message = fmt::format("MPI ({}): expected the {} processes of {} ({}={}), found 1; start "
                               "with: {} (or unset {} to run one process)",
                               place, *count, launcher.words, launcher.count, *count,
                               right_command(launcher, *count, library), launcher.count)};
  }
  return std::nullopt;
}

}  // namespace xkde::dist
