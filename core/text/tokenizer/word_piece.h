#ifndef XKDE_CORE_TEXT_TOKENIZER_WORD_PIECE_H_
#define XKDE_CORE_TEXT_TOKENIZER_WORD_PIECE_H_

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/io/json_file.h"
#include "core/text/regex/json_place.h"
#include "core/text/tokenizer/normalizer.h"
#include "core/text/tokenizer/special_tokens.h"

namespace xkde {

/// Token ids of BERT and MPNet as transformers' tokenizers give them: `[CLS] pieces [SEP]`, or
/// whatever tokens the files put there (`<s>` and `</s>` for MPNet). Text is
/// cleaned, CJK characters are set apart, case and accents dropped as the files say, words split at
/// white space and punctuation, each word cut greedily into the longest pieces. Immutable,
/// thread-safe. Source: arXiv:1609.08144.
class WordPiece {
 public:
  /// From a folder with tokenizer.json (a WordPiece model) or vocab.txt (then tokenizer_config.json
  /// may say do_lower_case, strip_accents, tokenize_chinese_chars and name the special tokens).
  /// Throws MissingInputError or DataError.
  static WordPiece open(const std::filesystem::path& folder);

  /// Pieces beyond `max_length` ids in all are cut off. Invalid UTF-8 is a DataError.
  std::vector<int64_t> encode(std::string_view text, int64_t max_length) const;
  int64_t size() const noexcept { return size_; }  ///< largest id + 1
  bool lowercases() const noexcept { return lowercase_; }
  const std::vector<std::filesystem::path>& files() const noexcept { return files_; }

 private:
  WordPiece();
  void read_tokenizer_json(const Json& json, const std::filesystem::path& file);
  void read_ends(const JsonPlace& post_processor);
  void read_vocab_txt(const std::filesystem::path& folder);
  void finish();
  std::string normalized(std::string_view text) const;
  void encode_word(std::string_view word, std::vector<int64_t>& ids) const;
  int64_t id_of(const std::string& token) const;

  std::unordered_map<std::string, int64_t> vocab_;
  std::unique_ptr<Normalizer> decompose_;
  SpecialTokens special_;
  std::string begin_token_ = "[CLS]";
  std::string end_token_ = "[SEP]";
  std::string unknown_token_ = "[UNK]";
  std::string prefix_ = "##";
  size_t max_word_ = 100;  ///< characters; a longer word is unknown
  bool clean_ = true;
  bool part_chinese_ = true;
  bool lowercase_ = true;
  bool strip_accents_ = true;
  int64_t size_ = 0;
  int64_t begin_ = 0;
  int64_t end_ = 0;
  int64_t unknown_ = 0;
  std::vector<std::filesystem::path> files_;
};

}  // namespace xkde

#endif  // XKDE_CORE_TEXT_TOKENIZER_WORD_PIECE_H_
