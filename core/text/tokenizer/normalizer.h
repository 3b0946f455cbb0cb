#ifndef XKDE_CORE_TEXT_TOKENIZER_NORMALIZER_H_
#define XKDE_CORE_TEXT_TOKENIZER_NORMALIZER_H_

#include <memory>

#include "core/text/regex/json_place.h"
#include "core/text/tokenizer/text_step.h"

namespace xkde {

/// A step that rewrites text before it is split.
class Normalizer : public TextStep<Piece> {};

/// From a "normalizer" of tokenizer.json: Sequence, NFC, NFD, NFKC, NFKD, Lowercase, Strip,
/// StripAccents, Prepend, Replace; null for null. Throws DataError for any other.
std::unique_ptr<Normalizer> make_normalizer(const JsonPlace& place);

}  // namespace xkde

#endif  // XKDE_CORE_TEXT_TOKENIZER_NORMALIZER_H_
