#ifndef XKDE_DISTRIBUTED_SHARDING_PROCESS_MESH_H_
#define XKDE_DISTRIBUTED_SHARDING_PROCESS_MESH_H_

#include <memory>

#include "distributed/comm/communicator.h"

namespace xkde::dist {

/// The ranks of `world` as num_copies() copies of a model, each in shards on num_shards()
/// consecutive ranks: rank r holds shard r % num_shards() of copy r / num_shards().
class ProcessMesh {
 public:
  /// Collective. `world` outlives the mesh. Throws ConfigError unless `copies` divides the ranks.
  ProcessMesh(Communicator& world, int copies);

  Communicator& world() const noexcept { return world_; }
  int num_copies() const noexcept { return copies_; }
  int num_shards() const noexcept { return world_.size() / copies_; }
  int shard() const noexcept { return world_.rank() % num_shards(); }
  int copy() const noexcept { return world_.rank() / num_shards(); }

  /// The ranks of this rank's copy, by shard.
  Communicator& shards() const noexcept { return *shards_; }
  /// The ranks with this rank's shard, by copy.
  Communicator& copies() const noexcept { return *replicas_; }

 private:
  Communicator& world_;
  int copies_;
  std::unique_ptr<Communicator> own_shards_, own_replicas_;  // where they are not all ranks
  Communicator* shards_;
  Communicator* replicas_;
};

}  // namespace xkde::dist

#endif  // XKDE_DISTRIBUTED_SHARDING_PROCESS_MESH_H_
