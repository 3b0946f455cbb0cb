#ifndef XKDE_CORE_TEXT_TOKENIZER_BPE_H_
#define XKDE_CORE_TEXT_TOKENIZER_BPE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/text/regex/json_place.h"

namespace xkde {

/// Lets a map of strings be asked with a string_view.
struct StringHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const noexcept {
    return std::hash<std::string_view>{}(text);
  }
};
template <typename Value>
using StringMap = std::unordered_map<std::string, Value, StringHash, std::equal_to<>>;

/// Byte-pair encoding as the `tokenizers` library's BPE model does it: characters, then the merge
/// of lowest rank first, leftmost among equals. Time n log n in a word's length. Immutable but for
/// a bounded cache of words; thread-safe.
class Bpe {
 public:
  /// From the "model" of tokenizer.json. Throws DataError: another type, dropout, an id twice, a
  /// merge whose parts or result are not in the vocabulary.
  explicit Bpe(const JsonPlace& model);
  Bpe(Bpe&&) noexcept;
  Bpe& operator=(Bpe&&) noexcept;
  ~Bpe();

  /// Appends the ids of one word. Throws DataError when the unknown token is needed but not in the
  /// vocabulary.
  void encode(std::string_view word, std::vector<int64_t>& ids) const;

  std::optional<int64_t> id_of(std::string_view token) const;
  const std::string* token_of(int64_t id) const;  ///< null when there is none
  size_t size() const noexcept { return ids_.size(); }
  int64_t largest_id() const noexcept { return largest_id_; }
  /// The largest id that encode() can give: of a character, a byte, a merge or the unknown token.
  int64_t largest_given_id() const;

 private:
  struct Merge {
    int32_t rank = 0;
    int32_t id = 0;
  };
  struct Symbol {
    int32_t id = 0;
    int32_t previous = -1;
    int32_t next = -1;
  };
  struct Cache;

  void read_vocabulary(const JsonPlace& vocab);
  void read_merges(const JsonPlace& merges);
  void add_merge(const JsonPlace& place, std::string_view left, std::string_view right,
                 size_t rank);
  void find_byte_tokens();
  const Merge* merge_of(int32_t left, int32_t right) const;
  std::vector<int32_t> characters(std::string_view word) const;
  int32_t unknown_id() const;
  bool append_bytes(std::string_view character, std::vector<int32_t>& ids) const;
  std::vector<int32_t> merged(const std::vector<int32_t>& characters) const;

  std::string where_;
  StringMap<int32_t> ids_;
  std::unordered_map<int64_t, const std::string*> tokens_;  ///< into the keys of ids_
  std::unordered_map<uint64_t, Merge> merges_;              ///< by the pair of ids
  std::vector<int32_t> byte_ids_;                           ///< of "<0x00>" and on; -1 for none
  int64_t largest_id_ = -1;
  std::string unk_token_;
  bool has_unk_token_ = false;
  std::string prefix_;  ///< of every character but a word's first
  std::string suffix_;  ///< of a word's last character
  bool fuse_unk_ = false;
  bool byte_fallback_ = false;
  bool ignore_merges_ = false;
  std::unique_ptr<Cache> cache_;
};

}  // namespace xkde

#endif  // XKDE_CORE_TEXT_TOKENIZER_BPE_H_
