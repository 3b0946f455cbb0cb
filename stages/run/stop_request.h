#ifndef XKDE_STAGES_RUN_STOP_REQUEST_H_
#define XKDE_STAGES_RUN_STOP_REQUEST_H_

#include "distributed/comm/communicator.h"

namespace xkde::recipe {

/// Whether any rank was asked to stop (core/base/stop_signals.h): the same answer on all ranks.
/// Collective.
bool stop_requested_anywhere(dist::Communicator& comm);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_RUN_STOP_REQUEST_H_
