#ifndef XKDE_CORE_MODEL_ENCODERS_CHECK_ENCODERS_H_
#define XKDE_CORE_MODEL_ENCODERS_CHECK_ENCODERS_H_

#include <filesystem>

#include "core/model/encoders/m2m100_config.h"

namespace xkde {

/// Throws what SentenceEncoder::open() would throw for `folder`, but reads no weights.
void check_sentence_encoder(const std::filesystem::path& folder);

/// The same for M2m100::open().
M2m100Config check_m2m100(const std::filesystem::path& folder);

}  // namespace xkde

#endif  // XKDE_CORE_MODEL_ENCODERS_CHECK_ENCODERS_H_
