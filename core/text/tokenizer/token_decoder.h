#ifndef XKDE_CORE_TEXT_TOKENIZER_TOKEN_DECODER_H_
#define XKDE_CORE_TEXT_TOKENIZER_TOKEN_DECODER_H_

#include <memory>
#include <string>
#include <vector>

#include "core/text/regex/json_place.h"
#include "core/text/tokenizer/text_step.h"

namespace xkde {

/// A step from tokens back to text; the text is what the last step's tokens give when joined.
class TokenDecoder : public TextStep<std::vector<std::string>> {};

/// From a "decoder" of tokenizer.json: Sequence, ByteLevel, Replace, ByteFallback, Fuse, Strip,
/// Metaspace; null for null. Throws DataError for any other.
std::unique_ptr<TokenDecoder> make_token_decoder(const JsonPlace& place);

}  // namespace xkde

#endif  // XKDE_CORE_TEXT_TOKENIZER_TOKEN_DECODER_H_
