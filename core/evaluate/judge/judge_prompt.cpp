#include "core/evaluate/judge/judge_prompt.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/base/dtype.h"
#include "core/base/error.h"
#include "core/data/sft_sample.h"
#include "core/io/json_file.h"
#include "core/io/sha256.h"
#include "core/text/chat_ids.h"
#include "core/text/regex/unicode.h"

namespace xkde {
namespace {

// What all prompts share stands first, what differs most stands last.
constexpr std::string_view kJudgeTask =
    "Decide whether an answer to a question is right. It is right if it says the same as one of "
    "the right answers, be it in other words, in another spelling, in another language, or with "
    "more words around it. It is wrong if it says something else, only a part of it, or "
    "both, or if it does not answer.\n\nQuestion: ";
constexpr std::string_view kBeforeRight = "\nRight answers: ";
constexpr std::string_view kBetweenRight = " | ";
constexpr std::string_view kBeforeAnswer = "\nAnswer to judge: ";
constexpr std::string_view kBehindAnswer = "\nIs this answer right, Yes or No?";
/// Without a chat template.
constexpr std::string_view kPlainEnd = "\nVerdict:";

std::string in_one_line(std::string_view text) {
  const std::string formed = unicode::replace_ill_formed(text);
  std::string line;
  for (const char c : unicode::strip(formed)) {
    const bool is_blank = c == ' ' || (c >= '\t' && c <= '\r');
    if (!is_blank) line += c;
    if (is_blank && !line.ends_with(' ')) line += ' ';
  }
  return line;
}

size_t num_common(const std::vector<int64_t>& one, const std::vector<int64_t>& other) {
  return static_cast<size_t>(
      std::mismatch(one.begin(), one.end(), other.begin(), other.end()).first - one.begin());
}

}  // namespace

JudgeQuestion judge_question(std::string_view question, const std::vector<std::string>& right,
                             std::string_view answer) {
  JudgeQuestion asked{in_one_line(question), {}, in_one_line(answer)};
  for (const std::string& one : right) asked.right.push_back(in_one_line(one));
  return asked;
}

std::string judge_text(const JudgeQuestion& question) {
  return concat(kJudgeTask, question.question, kBeforeRight,
                fmt::format("{}", fmt::join(question.right, kBetweenRight)), kBeforeAnswer,
                question.answer, kBehindAnswer);
}

std::string judge_prompt_sha256() {
  const Json words{kJudgePromptVersion, kJudgeTask, kBeforeRight, kBetweenRight, kBeforeAnswer,
                   kBehindAnswer,       kPlainEnd,  kJudgeYes,    kJudgeNo};
  return sha256_hex(words.dump());
}

ChatTemplate judge_template(const PretrainedModel& judge, const JudgeOptions& options) {
  const bool has_none = options.chat_template == "auto" && judge.chat_template.empty();
  return ChatTemplate::select(has_none ? "plain" : options.chat_template,
                              own_template(judge, options.chat_date));
}

JudgeEncoder::JudgeEncoder(const Tokenizer& tokenizer, const ChatTemplate& chat_template,
                           const std::string& place)
    : tokenizer_(tokenizer), chat_template_(chat_template) {
  // Every prompt ends in the same words.
  const JudgeQuestion any{"?", {"?"}, "?"};
  const std::vector<int64_t> alone = encode_prompt(tokenizer_, chat_template_, prompt(any));
  const std::vector<int64_t> yes = with_word(any, kJudgeYes), no = with_word(any, kJudgeNo);
  const size_t kept = std::min(num_common(alone, yes), num_common(alone, no));
  merged_ = alone.size() - kept;
  yes_ = yes.at(kept);
  no_ = no.at(kept);
  XKDE_CHECK(yes_ != no_, ConfigError, place,
             ": expected a judge whose answer words begin with different tokens, found that ",
             kJudgeYes, " and ", kJudgeNo, " both begin with token ", yes_, " behind its prompt");
}

std::string JudgeEncoder::prompt(const JudgeQuestion& question) const {
  const bool is_plain = chat_template_.format() == ChatTemplate::Format::kPlain;
  const std::string text = judge_text(question);
  return is_plain ? concat(text, kPlainEnd) : chat_template_.prompt(text);
}

std::vector<int64_t> JudgeEncoder::with_word(const JudgeQuestion& question,
                                             std::string_view word) const {
  if (chat_template_.format() == ChatTemplate::Format::kPlain)
    return tokenizer_.encode_beginning(concat(prompt(question), " ", word));
  std::vector<int64_t> ids = tokenizer_.encode(concat(prompt(question), word));
  if (const auto bos = bos_before(tokenizer_, chat_template_)) ids.insert(ids.begin(), *bos);
  return ids;
}

std::vector<int64_t> JudgeEncoder::ids(const JudgeQuestion& question) const {
  std::vector<int64_t> ids = encode_prompt(tokenizer_, chat_template_, prompt(question));
  ids.resize(ids.size() - merged_);
  return ids;
}

void check_judge(const JudgeOptions& options) {
  const PretrainedModel judge = open_pretrained(options.model_name_or_path);
  const ChatTemplate format = judge_template(judge, options);
  JudgeEncoder(judge.tokenizer, format, options.model_name_or_path.string());
}

std::string judge_fingerprint(const JudgeOptions& options,
                              const std::vector<std::string>& digests) {
  const Json all{{"files", digests},
                 {"dtype", name_of(kDtypes, options.dtype)},
                 {"chat_template", options.chat_template},
                 {"chat_date", options.chat_date}};
  return sha256_hex(all.dump());
}

}  // namespace xkde
