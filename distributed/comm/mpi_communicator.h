#ifndef XKDE_DISTRIBUTED_COMM_MPI_COMMUNICATOR_H_
#define XKDE_DISTRIBUTED_COMM_MPI_COMMUNICATOR_H_

#include <cstdint>
#include <memory>
#include <string>

#include "distributed/comm/communicator.h"
#include "distributed/comm/mpi_environment.h"

namespace xkde::dist {

/// How ranks exchange: through memory that the processes of one host share, or by MPI messages.
enum class MpiTransport { kAuto, kSharedMemory, kMessages };

struct MpiOptions {
  std::string group = "world";  ///< names the group in errors
  double timeout_s = 1800;      ///< how long a rank waits for the others
  /// Shared memory: of each rank and phase. Smaller where /dev/shm has too little room.
  int64_t chunk_bytes = int64_t{2} << 20;
  MpiTransport transport = MpiTransport::kAuto;  ///< shared memory if all ranks share a host
};

/// A communicator ("mpi") for CPU tensors of all ranks of the job, each of which calls it with the
/// same options. Collectives run at the call and are over when it returns: Work::wait()
/// does nothing. Ranks compare operation, dtype, size and sequence number before any data moves.
/// next_ticket() makes progress while other ranks compute, and may be called from any thread.
/// abort() is MPI_Abort of the whole job. `environment` outlives the communicator.
/// Memory is shared by two ranks and more; a group takes at most a quarter of what /dev/shm has
/// left, unless even pages for each rank need more. Throws CommError, and IoError where the host
/// has not even those.
std::unique_ptr<Communicator> make_mpi_communicator(const MpiEnvironment& environment,
                                                    MpiOptions options = {});

}  // namespace xkde::dist

#endif  // XKDE_DISTRIBUTED_COMM_MPI_COMMUNICATOR_H_
