#ifndef XKDE_CORE_TEXT_TOKENIZER_SPECIAL_TOKENS_H_
#define XKDE_CORE_TEXT_TOKENIZER_SPECIAL_TOKENS_H_

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace xkde {

/// Special tokens spelled out in a text, found before it is normalized, as the `tokenizers` library
/// finds them: from left to right, the longest first.
class SpecialTokens {
 public:
  struct Part {
    std::string_view text;      ///< of the input, without special tokens; empty where `id` is set
    std::optional<int64_t> id;  ///< of a special token
  };

  /// `takes_spaces`: the token takes the white space on its left with it (`lstrip`).
  void add(const std::string& token, int64_t id, bool takes_spaces = false);
  std::vector<Part> split(std::string_view text) const;
  int64_t size() const noexcept { return size_; }  ///< largest id + 1

 private:
  struct Token {
    int64_t id;
    bool takes_spaces;
  };
  std::map<std::string, Token, std::less<>> tokens_;
  std::array<bool, 256> first_bytes_{};
  int64_t size_ = 0;
};

}  // namespace xkde

#endif  // XKDE_CORE_TEXT_TOKENIZER_SPECIAL_TOKENS_H_
