#ifndef XKDE_CORE_MODEL_FAMILIES_FROZEN_FORM_H_
#define XKDE_CORE_MODEL_FAMILIES_FROZEN_FORM_H_

#include <cstdint>

#include "core/base/named.h"

namespace xkde {

/// How weights that nobody trains are held in memory.
enum class FrozenForm : int8_t {
  kDtype,     ///< in the compute dtype
  kAsStored,  ///< in the blocks that the model's file has
  kQ8_0,      ///< all matrices in blocks of Q8_0
};
inline constexpr Named<FrozenForm> kFrozenForms[] = {{"dtype", FrozenForm::kDtype},
                                                     {"as_stored", FrozenForm::kAsStored},
                                                     {"q8_0", FrozenForm::kQ8_0}};

}  // namespace xkde

#endif  // XKDE_CORE_MODEL_FAMILIES_FROZEN_FORM_H_
