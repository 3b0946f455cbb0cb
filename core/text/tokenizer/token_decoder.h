#ifndef XKDE_CORE_TEXT_TOKENIZER_TOKEN_DECODER_H_
#define XKDE_CORE_TEXT_TOKENIZER_TOKEN_DECODER_H_

#include <memory>
#include <string>
#include <vector>

#include "core/text/regex/json_place.h"

namespace xkde {

/// A step from tokens back to text; the text is what the last step's tokens give when joined.
/// Immutable, thread-safe.
class TokenDecoder {
 public:
  virtual ~TokenDecoder() = default;
  virtual void apply(std::vector<std::string>& tokens) const = 0;
};

/// From a "decoder" of tokenizer.json: Sequence, ByteLevel, Replace, ByteFallback, Fuse, Strip,
/// Metaspace; null for null. Throws DataError for any other.
std::unique_ptr<TokenDecoder> make_token_decoder(const JsonPlace& place);

}  // namespace xkde

#endif  // XKDE_CORE_TEXT_TOKENIZER_TOKEN_DECODER_H_
