#ifndef XKDE_STAGES_COVARIANCE_TEXT_WINDOWS_H_
#define XKDE_STAGES_COVARIANCE_TEXT_WINDOWS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/text/tokenizer/tokenizer.h"
#include "stages/covariance/keys.h"

namespace xkde::recipe {

/// Tokens of one document that stand together, as many as a window holds or what is left of it.
struct TextWindow {
  size_t text = 0;  ///< of the stage's texts
  std::vector<int64_t> ids;
};

/// What was read of one text.
struct TextShare {
  int64_t documents = 0;
  int64_t tokens = 0;
};

struct TextWindows {
  std::vector<TextWindow> windows;
  std::vector<TextShare> shares;  ///< of the stage's texts
  int64_t tokens = 0;
};

/// The texts' documents with the special tokens that the tokenizer adds, cut into windows of
/// `length` tokens. The next window is always of the text that has had the fewest tokens so far,
/// while it has more, so that every beginning of the list holds of all texts. The last window is
/// cut where max_tokens ends. Throws as read_text_documents(), and DataError where there is no
/// token.
TextWindows text_windows(const CovarianceStage& stage, const Tokenizer& tokenizer, int64_t length);

/// What goes through the model at once: windows of one language where those are told apart.
struct WindowPack {
  std::string language;         ///< "" where they are not
  std::vector<size_t> windows;  ///< in the order of the list
  int64_t tokens = 0;
};
/// Packs of at most max_tokens_per_batch tokens, in the order in which they are full. A longer
/// window is alone.
std::vector<WindowPack> window_packs(const CovarianceStage& stage, const TextWindows& all);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_COVARIANCE_TEXT_WINDOWS_H_
