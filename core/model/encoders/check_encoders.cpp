#include "core/model/encoders/check_encoders.h"

#include "core/model/encoders/m2m100.h"
#include "core/model/encoders/sentence_encoder.h"

namespace xkde {

void check_sentence_encoder(const std::filesystem::path& folder) { SentenceEncoder::check(folder); }

M2m100Config check_m2m100(const std::filesystem::path& folder) { return M2m100::check(folder); }

}  // namespace xkde
