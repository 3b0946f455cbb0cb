#ifndef XKDE_CORE_TEXT_TOKENIZER_GGUF_VOCABULARY_H_
#define XKDE_CORE_TEXT_TOKENIZER_GGUF_VOCABULARY_H_

#include "core/io/gguf.h"
#include "core/text/tokenizer/sentencepiece_vocabulary.h"

namespace xkde {

/// The files that fit a GGUF file's metadata ("tokenizer.ggml.*"): byte-level BPE ("gpt2") with a
/// known pre-tokenizer (where the file names none, that of its architecture, with a warning), or
/// SentencePiece BPE ("llama"), whose merges follow from the scores. Throws DataError naming file,
/// key, what was expected and what was found. Source:
/// https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, llama.cpp src/llama-vocab.cpp
TokenizerFiles tokenizer_files_from_gguf(const GgufFile& file);

}  // namespace xkde

#endif  // XKDE_CORE_TEXT_TOKENIZER_GGUF_VOCABULARY_H_
