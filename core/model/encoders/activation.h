#ifndef XKDE_CORE_MODEL_ENCODERS_ACTIVATION_H_
#define XKDE_CORE_MODEL_ENCODERS_ACTIVATION_H_

#include "core/text/regex/json_place.h"

namespace xkde {

/// EncoderActivation functions of encoder configs, as transformers names them.
enum class EncoderActivation { kRelu, kGelu, kGeluTanh, kSilu };
/// Throws DataError for any other name.
EncoderActivation activation_of(const JsonPlace& name);

}  // namespace xkde

#endif  // XKDE_CORE_MODEL_ENCODERS_ACTIVATION_H_
