#ifndef XKDE_CORE_TEXT_SENTENCEPIECE_SENTENCEPIECE_H_
#define XKDE_CORE_TEXT_SENTENCEPIECE_SENTENCEPIECE_H_

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace xkde {

/// A SentencePiece .model: text to piece ids as the library of that name gives them. Immutable,
/// thread-safe. Source: github.com/google/sentencepiece.
class SentencePiece {
 public:
  /// Throws MissingInputError when the file is not there, DataError naming it when it is no model.
  static SentencePiece open(const std::filesystem::path& path);
  /// The file that gives a folder's pieces: its sentencepiece.bpe.model, else its tokenizer.json
  /// where that has a Unigram model; empty where there is neither. Throws DataError.
  static std::filesystem::path find(const std::filesystem::path& folder);
  /// From such a file: a tokenizer.json as unigram_json.h says, any other as open().
  static SentencePiece open_found(const std::filesystem::path& path);
  SentencePiece(SentencePiece&&) noexcept;
  SentencePiece& operator=(SentencePiece&&) noexcept;
  ~SentencePiece();

  /// Ids of the file's own numbering, without begin and end. Invalid UTF-8 is a DataError: the
  /// library would silently replace it.
  std::vector<int64_t> encode(std::string_view text) const;
  int64_t size() const;
  /// Throws DataError for an id that is none of the file.
  std::string piece(int64_t id) const;
  std::optional<int64_t> id_of(std::string_view piece) const;
  int64_t unknown_id() const;

 private:
  static SentencePiece parse(const std::string& bytes, const std::filesystem::path& path);
  struct Impl;
  explicit SentencePiece(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace xkde

#endif  // XKDE_CORE_TEXT_SENTENCEPIECE_SENTENCEPIECE_H_
