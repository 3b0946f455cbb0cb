#ifndef XKDE_STAGES_RUN_STOP_REQUEST_H_
#define XKDE_STAGES_RUN_STOP_REQUEST_H_

#include "distributed/comm/communicator.h"

namespace xkde::recipe {

/// From now on SIGUSR1, SIGTERM and a first SIGINT ask the run to stop at the next step's edge; a
/// second SIGINT ends it at once.
void install_stop_signals();

/// Whether this rank was asked to. Not collective.
bool stop_requested();

/// Whether any rank was asked to: the same answer on all ranks. Collective.
bool stop_requested_anywhere(dist::Communicator& comm);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_RUN_STOP_REQUEST_H_
