#ifndef XKDE_STAGES_CAPABILITY_LIKELIHOODS_H_
#define XKDE_STAGES_CAPABILITY_LIKELIHOODS_H_

#include <filesystem>
#include <vector>

#include "core/capability/capability_results.h"
#include "stages/capability/keys.h"
#include "stages/run/run_context.h"

namespace xkde::recipe {

inline constexpr const char* kLikelihoodsFile = "likelihoods.jsonl";

/// Asks the model for the log-likelihoods of all items of the stage's `inputs`. Ranks take chunks
/// from a shared counter. Finished chunks are kept in kLikelihoodsFile of `folder`: a run that was
/// stopped or killed asks only the others when it starts again. Rank 0 gets all of them, in the
/// order of the items, the other ranks get none. Throws StopRequested, and NumericError that names
/// the item where one is not finite. Collective.
std::vector<LogLikelihoods> ask_likelihoods(const CapabilityStage& stage,
                                            const CapabilityInputs& inputs,
                                            const std::vector<CapabilityItem>& items,
                                            const std::filesystem::path& folder,
                                            RunContext& context);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_CAPABILITY_LIKELIHOODS_H_
