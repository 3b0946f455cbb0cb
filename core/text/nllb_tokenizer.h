#ifndef XKDE_CORE_TEXT_NLLB_TOKENIZER_H_
#define XKDE_CORE_TEXT_NLLB_TOKENIZER_H_

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/text/sentencepiece/sentencepiece.h"
#include "core/text/tokenizer/special_tokens.h"

namespace xkde {

/// Token ids of the NLLB models as transformers' NllbTokenizer gives them in its default
/// (non-legacy) form: `[language code] pieces </s>`. Where a combining mark follows a character
/// that the model's normalizer replaces, ids are SentencePiece's (transformers normalizes the two
/// as one). Ids: <s> 0, <pad> 1, </s> 2, <unk> 3, each further piece its SentencePiece id + 1, then
/// the language codes, then <mask>. Immutable, thread-safe.
class NllbTokenizer {
 public:
  static constexpr int64_t kPad = 1;
  static constexpr int64_t kEos = 2;
  static constexpr int64_t kUnknown = 3;

  /// From a folder with sentencepiece.bpe.model or, as transformers 5 saves it, with tokenizer.json
  /// alone. The language codes are those among tokenizer.json's added tokens where that file is
  /// there, else the 202 of NLLB-200. Throws
  /// MissingInputError or DataError.
  static NllbTokenizer open(const std::filesystem::path& folder);

  /// Language code, pieces, </s>; pieces beyond `max_length` ids in all are cut off. Special tokens
  /// spelled out in the text become their ids, as in transformers. Throws ConfigError for an
  /// unknown language, DataError for invalid UTF-8.
  std::vector<int64_t> encode(std::string_view text, std::string_view language,
                              int64_t max_length = 512) const;
  /// Throws ConfigError naming the known codes closest to it.
  int64_t language_id(std::string_view code) const;
  int64_t size() const noexcept { return special_.size(); }  ///< largest id + 1
  /// Everything read.
  const std::vector<std::filesystem::path>& files() const noexcept { return files_; }

 private:
  NllbTokenizer(SentencePiece pieces, std::filesystem::path model);
  void read_languages(const std::filesystem::path& tokenizer_file);
  void number_languages();
  void encode_plain(std::string_view text, std::vector<int64_t>& ids) const;
  bool ends_in_space(std::string_view text) const;
  int64_t shifted(int64_t piece) const;

  SentencePiece pieces_;
  std::vector<int64_t> two_letters_;  ///< ids of "aa": see ends_in_space()
  std::map<std::string, int64_t, std::less<>> languages_;
  SpecialTokens special_;  ///< languages and <s>, <pad>, ..., <mask>
  std::vector<std::filesystem::path> files_;
};

}  // namespace xkde

#endif  // XKDE_CORE_TEXT_NLLB_TOKENIZER_H_
