#ifndef XKDE_DISTRIBUTED_JOB_LAUNCHER_H_
#define XKDE_DISTRIBUTED_JOB_LAUNCHER_H_

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

namespace xkde::dist {

/// The value of an environment variable, null where it is not set.
using Environment = std::function<const char*(const char*)>;

/// A launcher started several processes, each of which MPI takes for a job of its own.
struct LauncherMismatch {
  int rank = 0;         ///< of this process as the launcher counts; 0 where that is not known
  std::string message;  ///< one line, with the command that is right
};

/// The MPI library of this process.
struct MpiLibrary {
  std::string version;         ///< "Open MPI v4.1.4"
  std::filesystem::path path;  ///< of the file that was loaded; empty where it is not known
};

/// Compares what the launcher's variables (Open MPI, MPICH's Hydra, SLURM's srun, PMIx) say with
/// `mpi_size`, the number of processes that MPI knows. The nearest launcher that left its variable
/// decides. An allocation of several tasks is no launcher: a batch script may start one process.
std::optional<LauncherMismatch> launcher_mismatch(const Environment& environment, int mpi_size,
                                                  const MpiLibrary& library);

/// The mpirun that belongs to the library, found in a bin folder above it; nothing where none is.
std::optional<std::filesystem::path> mpirun_of(const MpiLibrary& library);

}  // namespace xkde::dist

#endif  // XKDE_DISTRIBUTED_JOB_LAUNCHER_H_
