#ifndef XKDE_CORE_TEXT_TOKENIZER_SENTENCEPIECE_VOCABULARY_H_
#define XKDE_CORE_TEXT_TOKENIZER_SENTENCEPIECE_VOCABULARY_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/io/json_file.h"

namespace xkde {

/// What a Hugging Face folder says about a tokenizer.
struct TokenizerFiles {
  Json tokenizer;  ///< tokenizer.json
  Json config;     ///< tokenizer_config.json, chat template included
};

/// A tokenizer.json whose every part is null.
Json empty_tokenizer();

/// "vocab" of a BPE model: each token once, with its place as its id.
Json vocabulary_of(std::span<const std::string> tokens);

/// Which of two cuts of one piece comes first.
enum class CutOrder { kShortLeftFirst, kLongLeftFirst };
/// "merges" of a BPE model: every cut of every normal piece into two others, lowest rank of the
/// whole piece first. SentencePiece joins the neighbours whose joint piece scores best.
/// Throws DataError where a piece is longer than limits::kLongestScoredToken; `place[index]` names
/// it. Source: transformers' generate_merges.
Json merges_of_pieces(std::span<const std::string> tokens, const std::vector<bool>& is_normal,
                      std::span<const double> ranks, CutOrder order, const std::string& place);

/// A special token at an end of every text.
struct EndToken {
  int64_t id = 0;
  std::string content;
};
/// "post_processor" that puts these tokens around a text; null where there are none.
Json post_processor_of(const std::optional<EndToken>& before, const std::optional<EndToken>& after);

/// The files that say what transformers makes of a folder that has tokenizer.model alone (BPE with
/// byte fallback, as of Llama and Gemma). `model`: its bytes. `config`: tokenizer_config.json, or
/// null. `added`: added_tokens.json, or null. Throws DataError naming `name`, what was expected and
/// what was found. Source: transformers 5.24, LlamaTokenizer and GemmaTokenizer.
TokenizerFiles tokenizer_files_from_sentencepiece(std::string_view model, const Json& config,
                                                  const Json& added, const std::string& name);

}  // namespace xkde

#endif  // XKDE_CORE_TEXT_TOKENIZER_SENTENCEPIECE_VOCABULARY_H_
