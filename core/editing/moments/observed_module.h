#ifndef XKDE_CORE_EDITING_MOMENTS_OBSERVED_MODULE_H_
#define XKDE_CORE_EDITING_MOMENTS_OBSERVED_MODULE_H_

#include "core/base/named.h"
#include "core/model/families/family.h"

namespace xkde {

/// The modules of a block whose inputs can be observed, as recipes and files of second moments name
/// them. Weights that see the same input, as gate_proj and up_proj, have one name.
inline constexpr Named<TensorRole> kObservedModules[] = {
    {"down_proj", TensorRole::kDown},
    {"gate_up", TensorRole::kGateUp},
    {"qkv", TensorRole::kQkv},
    {"o_proj", TensorRole::kAttentionOutput},
};

}  // namespace xkde

#endif  // XKDE_CORE_EDITING_MOMENTS_OBSERVED_MODULE_H_
