#ifndef XKDE_DISTRIBUTED_PLANNER_PLANNER_H_
#define XKDE_DISTRIBUTED_PLANNER_PLANNER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "distributed/planner/memory_model.h"
#include "distributed/planner/step_model.h"

namespace xkde::dist {

/// What is to be trained, where, and what of the mode is already decided.
struct PlanRequest {
  ModelShape model;
  int ranks = 1;
  /// What is given is kept; its `shard` and `recompute` are chosen where the two below are empty.
  EngineOptions options;
  std::optional<ShardMode> shard;
  std::optional<Recompute> recompute;
  PackShape largest;
  StepWork work;
  MachineConstants machine;
  MemoryConstants memory;
  int64_t available_bytes = 0;  ///< of one rank
  /// The key whose value bounds the tokens of a pack: "sft.max_tokens_per_pack".
  std::string pack_key = "max_tokens_per_pack";
};

struct Plan {
  EngineOptions options;
  MemoryByKind memory;
  StepSeconds seconds;
  std::string reason;  ///< one line: why this one and not another
};

/// Every choice that the request allows, with its bytes and seconds, the least sharded first;
/// `reason` is empty.
std::vector<Plan> possible_plans(const PlanRequest& request);

/// The fastest of them that fits; one that is less than 2 % slower but needs 10 % fewer bytes is
/// taken in its place. Throws ConfigError with the bytes needed and available and the keys that
/// would help when none fits.
Plan choose_plan(const PlanRequest& request);

/// "1.25 GB" (decimal, as memory is sold).
std::string in_gigabytes(int64_t bytes);

}  // namespace xkde::dist

#endif  // XKDE_DISTRIBUTED_PLANNER_PLANNER_H_
