#ifndef XKDE_CORE_TEXT_TOKENIZER_GGUF_TOKENIZER_H_
#define XKDE_CORE_TEXT_TOKENIZER_GGUF_TOKENIZER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "core/io/writers/gguf_writer.h"
#include "core/text/tokenizer/tokenizer.h"

namespace xkde {

/// What the model says about ids; -1: nothing. Where the tokenizer has no such token, the model's
/// counts if it is a special one.
struct GgufModelIds {
  int64_t rows = 0;  ///< of the embedding
  int64_t bos = -1;
  int64_t eos = -1;
  int64_t pad = -1;
  /// That end an answer. Two have keys beside that of EOS.
  std::vector<int64_t> ends = {};
};

/// Adds "tokenizer.ggml.*", from which tokenizer_files_from_gguf() makes a tokenizer that gives the
/// same ids: byte-level BPE with a split that has a name there, or SentencePiece BPE with byte
/// fallback. Rows of the embedding that have no token get one that no text gives. What GGUF files
/// cannot say is left out: white space that added tokens take, words that they stand for, blanks in
/// front of some texts only, a fourth id that ends an answer. Returns a line about each, for
/// warnings. Throws ConfigError for any other tokenizer, with the way out.
std::vector<std::string> add_gguf_tokenizer(const Tokenizer& tokenizer, const GgufModelIds& ids,
                                            GgufMetadata& metadata);

/// What to do about a model that no GGUF file describes; the end of every message about one.
inline constexpr const char* kGgufWayOut =
    "; export the Hugging Face folder and see whether llama.cpp's convert_hf_to_gguf.py knows it";

}  // namespace xkde

#endif  // XKDE_CORE_TEXT_TOKENIZER_GGUF_TOKENIZER_H_
