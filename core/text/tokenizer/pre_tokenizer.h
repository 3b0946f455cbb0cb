#ifndef XKDE_CORE_TEXT_TOKENIZER_PRE_TOKENIZER_H_
#define XKDE_CORE_TEXT_TOKENIZER_PRE_TOKENIZER_H_

#include <memory>
#include <vector>

#include "core/text/regex/json_place.h"
#include "core/text/tokenizer/text_step.h"

namespace xkde {

/// A step that cuts text into the words that BPE works on: it replaces pieces by smaller ones, none
/// of which is empty.
class PreTokenizer : public TextStep<std::vector<Piece>> {};

/// From a "pre_tokenizer" of tokenizer.json: Sequence, ByteLevel, Split, Digits, Metaspace,
/// Whitespace, WhitespaceSplit, Punctuation; null for null. Throws DataError for any other.
std::unique_ptr<PreTokenizer> make_pre_tokenizer(const JsonPlace& place);

}  // namespace xkde

#endif  // XKDE_CORE_TEXT_TOKENIZER_PRE_TOKENIZER_H_
