#ifndef XKDE_CORE_TEXT_TOKENIZER_NORMALIZER_H_
#define XKDE_CORE_TEXT_TOKENIZER_NORMALIZER_H_

#include <memory>
#include <string>

#include "core/text/regex/json_place.h"

namespace xkde {

/// A stretch of text on its way from the input to the model.
struct Piece {
  std::string text;
  /// Whether it begins where the whole input begins (Metaspace's "first" asks for it).
  bool at_start = false;
};

/// A step that rewrites text before it is split. Immutable, thread-safe.
class Normalizer {
 public:
  virtual ~Normalizer() = default;
  virtual void apply(Piece& piece) const = 0;
};

/// From a "normalizer" of tokenizer.json: Sequence, NFC, NFD, NFKC, NFKD, Lowercase, Strip,
/// StripAccents, Prepend, Replace; null for null. Throws DataError for any other.
std::unique_ptr<Normalizer> make_normalizer(const JsonPlace& place);

}  // namespace xkde

#endif  // XKDE_CORE_TEXT_TOKENIZER_NORMALIZER_H_
