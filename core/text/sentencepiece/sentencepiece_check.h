#ifndef XKDE_CORE_TEXT_SENTENCEPIECE_SENTENCEPIECE_CHECK_H_
#define XKDE_CORE_TEXT_SENTENCEPIECE_SENTENCEPIECE_CHECK_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace xkde {

/// Checks the bytes of a SentencePiece .model before the library sees them: it trusts them and
/// reads outside its arrays where they lie. Pieces are texts of UTF-8, none is empty, scores are
/// finite, and rules for characters are as check_character_map() wants them. What the library
/// checks itself is left to it. Throws DataError naming `name`, the field, what was expected and
/// what was found.
void check_sentencepiece_model(std::string_view bytes, const std::string& name);

/// What a SentencePiece .model says of its pieces. Source: github.com/google/sentencepiece,
/// src/sentencepiece_model.proto
struct SentencePieceParts {
  enum class Kind { kNormal = 1, kUnknown, kControl, kUserDefined, kUnused, kByte };
  struct Piece {
    std::string text;
    Kind kind = Kind::kNormal;
  };
  std::vector<Piece> pieces;  ///< by id
  bool is_bpe = false;        ///< another kind of model where false
  bool falls_back_to_bytes = false;
  bool puts_blank_in_front = true;
  bool removes_blanks = true;    ///< those in front, at the end and beside another
  bool maps_characters = false;  ///< by a precompiled_charsmap
};
/// The same bytes, checked and taken apart. Throws DataError.
SentencePieceParts parts_of_sentencepiece_model(std::string_view bytes, const std::string& name);

/// Checks a `precompiled_charsmap`: u32 size of the trie in bytes, the trie, texts that each end
/// with a 0. The trie is a double array as Darts-clone writes it: every unit that a text can lead
/// to is inside, and every rule's text begins and ends inside and is short. Throws DataError.
void check_character_map(std::string_view map, const std::string& name);

/// The same for the units of a trie and the texts that its values are offsets into.
void check_character_trie(std::span<const uint32_t> units, std::string_view texts,
                          const std::string& name);

}  // namespace xkde

#endif  // XKDE_CORE_TEXT_SENTENCEPIECE_SENTENCEPIECE_CHECK_H_
