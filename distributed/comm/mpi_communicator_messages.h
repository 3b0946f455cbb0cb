#ifndef XKDE_DISTRIBUTED_COMM_MPI_COMMUNICATOR_MESSAGES_H_
#define XKDE_DISTRIBUTED_COMM_MPI_COMMUNICATOR_MESSAGES_H_

#include <memory>
#include <string>

#include "distributed/comm/communicator.h"
#include "distributed/comm/mpi_handles.h"

namespace xkde::dist {

/// The communicator of ranks on several hosts: MPI messages, each below 2 GiB. A thread of rank 0
/// hands out the tickets, so that they come while rank 0 computes; MPI must allow calls from any
/// thread. Takes over `comm`; every rank of it calls.
std::unique_ptr<Communicator> make_message_communicator(MpiComm comm, std::string group,
                                                        double timeout_s);

}  // namespace xkde::dist

#endif  // XKDE_DISTRIBUTED_COMM_MPI_COMMUNICATOR_MESSAGES_H_
