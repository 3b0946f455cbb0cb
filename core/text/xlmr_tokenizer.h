#ifndef XKDE_CORE_TEXT_XLMR_TOKENIZER_H_
#define XKDE_CORE_TEXT_XLMR_TOKENIZER_H_

#include <cstdint>
#include <filesystem>
#include <string_view>
#include <vector>

#include "core/text/sentencepiece/sentencepiece.h"
#include "core/text/tokenizer/special_tokens.h"

namespace xkde {

/// Token ids of XLM-RoBERTa as transformers gives them: `<s> pieces </s>`. Ids: <s> 0, <pad> 1,
/// </s> 2, <unk> 3, each further piece its SentencePiece id + 1, then <mask>. Immutable,
/// thread-safe.
class XlmrTokenizer {
 public:
  /// `model`: sentencepiece.bpe.model, or a tokenizer.json as SentencePiece::open_found() takes it.
  /// Throws MissingInputError or DataError.
  static XlmrTokenizer open(const std::filesystem::path& model);

  /// Pieces beyond `max_length` ids in all are cut off.
  std::vector<int64_t> encode(std::string_view text, int64_t max_length) const;
  int64_t size() const noexcept { return special_.size(); }  ///< largest id + 1

 private:
  explicit XlmrTokenizer(SentencePiece pieces);
  SentencePiece pieces_;
  SpecialTokens special_;
};

}  // namespace xkde

#endif  // XKDE_CORE_TEXT_XLMR_TOKENIZER_H_
