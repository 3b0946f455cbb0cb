#ifndef XKDE_CORE_EVALUATE_JUDGE_JUDGE_PROMPT_H_
#define XKDE_CORE_EVALUATE_JUDGE_JUDGE_PROMPT_H_

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/evaluate/judge/judge_options.h"
#include "core/model/pretrained/pretrained.h"
#include "core/text/chat_template.h"
#include "core/text/tokenizer/tokenizer.h"

namespace xkde {

/// What a judge is asked: whether an answer to a question is right. Texts are as the judge reads
/// them.
struct JudgeQuestion {
  std::string question;
  std::vector<std::string> right;  ///< at least one
  std::string answer;

  auto operator<=>(const JudgeQuestion&) const = default;
};

/// A question for a judge. Each text gets one line: white space at its ends goes, line breaks and
/// tabs become blanks, several blanks one, and ill-formed parts U+FFFD.
JudgeQuestion judge_question(std::string_view question, const std::vector<std::string>& right,
                             std::string_view answer);

/// The natural log-probabilities of the first token of either answer word.
struct JudgeVerdict {
  double yes = 0;
  double no = 0;

  bool is_right() const { return yes > no; }
};

/// Version of the judge's prompt. Another text is another version.
inline constexpr int kJudgePromptVersion = 1;
inline constexpr std::string_view kJudgeYes = "Yes";
inline constexpr std::string_view kJudgeNo = "No";

/// The user's turn. Questions about one answer have one beginning.
std::string judge_text(const JudgeQuestion& question);
/// SHA-256 of the prompt's own words and the answer words.
std::string judge_prompt_sha256();

/// The template that the judge's prompts are written with.
ChatTemplate judge_template(const PretrainedModel& judge, const JudgeOptions& options);

/// Prompts of a judge as token ids, which end where it would say one of the words.
class JudgeEncoder {
 public:
  /// Both outlive the object. `place` begins messages. Throws ConfigError where both words begin
  /// with the same token.
  JudgeEncoder(const Tokenizer& tokenizer, const ChatTemplate& chat_template,
               const std::string& place);

  std::vector<int64_t> ids(const JudgeQuestion& question) const;
  /// The first tokens of the words, as they stand behind a prompt.
  int64_t yes_id() const noexcept { return yes_; }
  int64_t no_id() const noexcept { return no_; }

 private:
  std::string prompt(const JudgeQuestion& question) const;
  std::vector<int64_t> with_word(const JudgeQuestion& question, std::string_view word) const;

  const Tokenizer& tokenizer_;
  const ChatTemplate& chat_template_;
  size_t merged_ = 0;  ///< tokens at the end of a prompt that become part of the word's
  int64_t yes_ = 0, no_ = 0;
};

/// Opens the judge, its weights left out. Throws as open_pretrained(), ChatTemplate::select() and
/// JudgeEncoder.
void check_judge(const JudgeOptions& options);
/// What its verdicts follow from beside the prompt. `digests` are those of the judge's files, in
/// their order.
std::string judge_fingerprint(const JudgeOptions& options, const std::vector<std::string>& digests);

}  // namespace xkde

#endif  // XKDE_CORE_EVALUATE_JUDGE_JUDGE_PROMPT_H_
