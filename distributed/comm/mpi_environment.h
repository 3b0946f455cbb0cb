#ifndef XKDE_DISTRIBUTED_COMM_MPI_ENVIRONMENT_H_
#define XKDE_DISTRIBUTED_COMM_MPI_ENVIRONMENT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "distributed/job/launcher.h"

namespace xkde::dist {

/// How a rank ends, as the others hear of it.
struct RankEnd {
  int64_t exit_code = 0;
  uint64_t text = 0;  ///< a hash of what it says: ranks that say the same have the same
};

/// MPI from construction to destruction; main makes it first, once in a process. Without mpirun or
/// srun it is one rank. MPI may be called from any thread if has_threads().
/// Throws CommError with MPI's own words. Move-only; a moved-from one owns nothing.
class MpiEnvironment {
 public:
  MpiEnvironment();
  /// Ends MPI, for which all ranks wait; while an exception unwinds it does nothing, so that no
  /// rank hangs: mpirun then ends the others when this process is gone.
  ~MpiEnvironment();
  MpiEnvironment(MpiEnvironment&& other) noexcept;
  MpiEnvironment& operator=(MpiEnvironment&& other) noexcept;
  MpiEnvironment(const MpiEnvironment&) = delete;
  MpiEnvironment& operator=(const MpiEnvironment&) = delete;

  int rank() const noexcept { return rank_; }
  int size() const noexcept { return size_; }
  int local_rank() const noexcept { return local_rank_; }  ///< among the ranks of this host
  int local_size() const noexcept { return local_size_; }
  bool has_threads() const noexcept { return has_threads_; }
  const std::vector<std::string>& hostnames() const noexcept { return hostnames_; }  ///< [size()]

  /// How all ranks end, by rank; nothing where one of them does not say so within `patience_s`.
  /// Where all end alike, each may leave by itself, and nothing has to be aborted. Each rank that
  /// ends calls it once.
  std::optional<std::vector<RankEnd>> ends_of_ranks(const RankEnd& own, double patience_s) const;
  /// Ends every rank at once; mpirun returns `exit_code`. For main, after it printed the error.
  /// This rank ends after 5 s also where MPI hangs.
  [[noreturn]] void abort(int exit_code) const noexcept;

 private:
  void finalize() noexcept;

  bool owns_ = false;
  int exceptions_ = 0;  ///< in flight at construction
  int rank_ = 0;
  int size_ = 1;
  int local_rank_ = 0;
  int local_size_ = 1;
  bool has_threads_ = false;
  int end_comm_ = 0;  ///< MPI_Comm_c2f of a communicator that only ends_of_ranks() uses
  std::vector<std::string> hostnames_;
};

/// The MPI library that this process really runs: its own one-line name and version, and the file.
/// Needs no MpiEnvironment.
MpiLibrary mpi_library();

}  // namespace xkde::dist

#endif  // XKDE_DISTRIBUTED_COMM_MPI_ENVIRONMENT_H_
