#ifndef XKDE_STAGES_RUN_STOP_REQUEST_H_
#define XKDE_STAGES_RUN_STOP_REQUEST_H_

#include "distributed/comm/communicator.h"

namespace xkde::recipe {

/// From now on SIGUSR1, SIGTERM and a first SIGINT ask the run to stop at the next step's edge; a
/// second SIGINT ends it at once.
void install_stop_signals();

/// Whether this rank was asked to. Not collective.
bool stop_requested();

/// What holds on any rank at the end of a step.
struct StepEnd {
  bool stop_requested = false;
  bool is_writing = false;  ///< a checkpoint, beside the steps
};

/// Joins what this rank says with the others'. Collective: all get the same answer at the same
/// step.
StepEnd agree_on_step_end(dist::Communicator& comm, bool is_writing);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_RUN_STOP_REQUEST_H_
