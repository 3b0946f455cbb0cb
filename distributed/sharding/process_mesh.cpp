#include "distributed/sharding/process_mesh.h"

#include <string>

#include "core/base/error.h"

namespace xkde::dist {

ProcessMesh::ProcessMesh(Communicator& world, int copies)
    : world_(world), copies_(copies), shards_(&world), replicas_(&world) {
  XKDE_CHECK(copies >= 1 && world.size() % copies == 0, ConfigError,
             "parallel.replicate: expected a divisor of the ", world.size(), " ranks, found ",
             copies);
  if (copies > 1) {
    own_shards_ = world.split(copy(), concat("copy ", copy()));
    shards_ = own_shards_.get();
  }
  if (num_shards() > 1) {
    own_replicas_ = world.split(shard(), concat("shard ", shard()));
    replicas_ = own_replicas_.get();
  }
}

}  // namespace xkde::dist
