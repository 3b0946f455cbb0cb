#ifndef XKDE_CORE_TEXT_TOKENIZER_ADDED_TOKENS_H_
#define XKDE_CORE_TEXT_TOKENIZER_ADDED_TOKENS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/text/regex/json_place.h"
#include "core/text/regex/regex.h"
#include "core/text/tokenizer/bpe.h"
#include "core/text/tokenizer/normalizer.h"

namespace xkde {

/// A token that is found in the text as a whole, before the model sees it.
struct AddedToken {
  int64_t id = 0;
  std::string content;
  std::string shown;  ///< how it decodes: its normalized form, or the content
  bool single_word = false;
  bool lstrip = false;
  bool rstrip = false;
  bool normalized = false;  ///< found in the normalized text, by its own normalized form
  bool special = false;
};

/// A part of a text: an added token, or text between two.
struct AddedTokenPart {
  Span span;
  std::optional<int64_t> id;
};

/// The "added_tokens" of tokenizer.json. Immutable, thread-safe.
class AddedTokens {
 public:
  /// Throws DataError: an id that the library would not give (that of the vocabulary, else the next
  /// free one), an empty or repeated content.
  AddedTokens(const JsonPlace& list, const Bpe& model, const Normalizer* normalizer);

  /// Cuts at tokens with `normalized` as given: the longest of those that begin leftmost.
  std::vector<AddedTokenPart> split(std::string_view text, bool normalized) const;
  const AddedToken* by_id(int64_t id) const;
  std::optional<int64_t> id_of(std::string_view content) const;
  bool is_special(std::string_view content) const;
  int64_t largest_id() const noexcept { return largest_id_; }

 private:
  struct Needle {
    std::string text;
    size_t token = 0;
  };
  /// Needles by their first byte, longest first; equal ones in the library's order (special tokens
  /// first).
  struct Needles {
    std::vector<std::vector<Needle>> by_first_byte;
    void add(Needle needle);
    const Needle* match(std::string_view text, size_t position) const;
  };

  AddedToken read(const JsonPlace& place, const Bpe& model) const;
  void add_needle(size_t index, const Normalizer* normalizer);
  bool stands_alone(std::string_view text, Span span) const;

  std::vector<AddedToken> tokens_;
  std::unordered_map<int64_t, size_t> index_of_id_;
  StringMap<size_t> index_of_content_;
  Needles raw_;
  Needles normalized_;
  int64_t largest_id_ = -1;
};

}  // namespace xkde

#endif  // XKDE_CORE_TEXT_TOKENIZER_ADDED_TOKENS_H_
