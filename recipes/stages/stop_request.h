#ifndef XKDE_RECIPES_STAGES_STOP_REQUEST_H_
#define XKDE_RECIPES_STAGES_STOP_REQUEST_H_

#include "distributed/communicator.h"

namespace xkde::recipe {

/// From now on SIGUSR1, SIGTERM and a first SIGINT ask the run to stop at the next step's edge; a
/// second SIGINT ends it at once.
void install_stop_signals();

/// Whether any rank was asked to stop. Collective: all ranks get the same answer at the same step.
bool stop_requested(dist::Communicator& comm);

}  // namespace xkde::recipe

#endif  // XKDE_RECIPES_STAGES_STOP_REQUEST_H_
