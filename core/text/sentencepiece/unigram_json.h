#ifndef XKDE_CORE_TEXT_SENTENCEPIECE_UNIGRAM_JSON_H_
#define XKDE_CORE_TEXT_SENTENCEPIECE_UNIGRAM_JSON_H_

#include <string>

#include "core/text/regex/json_place.h"

namespace xkde {

/// The SentencePiece model that a tokenizer.json of XLM-RoBERTa or NLLB was made from, as bytes:
/// transformers 5 saves no sentencepiece.bpe.model. `root` is the whole file. Its Unigram
/// vocabulary begins with <s>, <pad>, </s> and <unk>, and special tokens at its end are left out;
/// pieces are numbered as in the original: <unk> 0, <s> 1, </s> 2, then the others. The normalizer
/// is a Precompiled one, alone or with white space made one; the pre-tokenizer is Metaspace, alone
/// or after WhitespaceSplit. Throws DataError (file, place, expected, found) for anything else.
std::string sentencepiece_model_of(const JsonPlace& root);

}  // namespace xkde

#endif  // XKDE_CORE_TEXT_SENTENCEPIECE_UNIGRAM_JSON_H_
