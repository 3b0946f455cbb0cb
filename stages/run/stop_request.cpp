#include "stages/run/stop_request.h"

#include "core/base/stop_signals.h"
#include "distributed/comm/typed_gather.h"

namespace xkde::recipe {

bool stop_requested_anywhere(dist::Communicator& comm) {
  return dist::largest_of_ranks(comm, stop_requested());
}

}  // namespace xkde::recipe
