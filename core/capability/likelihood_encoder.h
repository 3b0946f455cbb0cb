#ifndef XKDE_CORE_CAPABILITY_LIKELIHOOD_ENCODER_H_
#define XKDE_CORE_CAPABILITY_LIKELIHOOD_ENCODER_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/capability/choice_rows.h"
#include "core/edit/scored_sequence.h"
#include "core/text/tokenizer/tokenizer.h"

namespace xkde {

/// The choices of a row behind its context.
struct EncodedChoices {
  std::vector<ScoredSequence> sequences;  ///< in the order of the choices
  int64_t cut = 0;  ///< tokens at the context's begin that the model does not see, at most
};

/// Texts as sequences whose log-likelihoods are asked, cut as lm-evaluation-harness 0.4.13 does
/// (github EleutherAI/lm-evaluation-harness, lm_eval/api/model.py, lm_eval/utils.py).
class LikelihoodEncoder {
 public:
  /// `tokenizer` outlives the encoder. `add_special_tokens`: contexts get what the tokenizer begins
  /// a text with. `longest`: tokens that the model sees at once.
  LikelihoodEncoder(const Tokenizer& tokenizer, bool add_special_tokens, int64_t longest);

  /// Blanks at the context's end go to the continuations. The ids of a continuation are those of
  /// the whole text from the number of ids of the context on. An empty context is the prefix token,
  /// which is BOS or else EOS. What is too long loses the context's begin. `place` begins messages.
  /// Throws DataError where a context or a continuation has no token, or a continuation more than
  /// the model sees; ConfigError where a prefix token is needed and the tokenizer has none.
  EncodedChoices choices(const ChoiceRow& row, const std::string& delimiter,
                         const std::string& place) const;

  /// A document in windows that predict each of its tokens once. The first begins behind the prefix
  /// token, each later one behind the token before it. The last one begins as early as the model
  /// allows. Throws DataError where it has no token; ConfigError as choices().
  std::vector<ScoredSequence> windows(std::string_view text, const std::string& place) const;

 private:
  int64_t prefix(const std::string& place) const;
  std::vector<int64_t> encode(const std::string& text) const;
  std::vector<int64_t> continuation(const std::string& context, size_t num_context,
                                    const std::string& text) const;

  const Tokenizer& tokenizer_;
  bool add_special_tokens_;
  int64_t longest_;
  std::optional<int64_t> prefix_;
  std::string prefix_text_;
};

/// The windows of `ids` (at least one), of at most `longest` tokens each.
std::vector<ScoredSequence> rolling_windows(std::span<const int64_t> ids, int64_t prefix,
                                            int64_t longest);

}  // namespace xkde

#endif  // XKDE_CORE_CAPABILITY_LIKELIHOOD_ENCODER_H_
