#ifndef XKDE_CORE_GENERATE_TEXT_PIECES_H_
#define XKDE_CORE_GENERATE_TEXT_PIECES_H_

#include <string>
#include <string_view>
#include <vector>

namespace xkde {

/// Cuts a text that grows token by token into pieces that can be shown at once: whole characters,
/// and nothing that may become a stop text.
class TextPieces {
 public:
  explicit TextPieces(std::vector<std::string> stop_texts = {});

  /// `text`: what all tokens so far decode to. A character whose bytes are not all there decodes to
  /// U+FFFD, so these wait at the end. Returns what is new and certain, which may be nothing.
  std::string grow(std::string_view text);
  /// What is left of the whole text.
  std::string finish(std::string_view text);

 private:
  std::string piece(std::string_view text);

  std::vector<std::string> stop_texts_;
  std::string shown_;
};

}  // namespace xkde

#endif  // XKDE_CORE_GENERATE_TEXT_PIECES_H_
