#include "core/edit/probe_questions.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/edit/probe_templates.h"
#include "core/edit/subject_place.h"
#include "core/metrics/normalized_answer.h"
#include "core/text/regex/unicode.h"

namespace xkde {
namespace {

/// `question` with kGap wherever `subject` stands in it as whole words; nothing where it does not.
std::optional<std::string> with_gap(std::string_view question, std::string_view subject,
                                    const Language& language) {
  std::string text;
  size_t begin = 0;
  size_t found = find_whole(question, subject, language);
  if (found == std::string_view::npos) return std::nullopt;
  for (; found != std::string_view::npos; found = find_whole(question, subject, language, begin)) {
    text += question.substr(begin, found - begin);
    text += kGap;
    begin = found + subject.size();
  }
  text += question.substr(begin);
  return text;
}

/// Builds the probes of one side.
class ProbeBuilder {
 public:
  ProbeBuilder(const EditSide& side, const Language& test, const ProbeTemplates& forms,
               std::map<std::string, int64_t>& skipped)
      : side_(side),
        test_(test),
        forms_(forms),
        skipped_(skipped),
        question_(unicode::strip(side.src)),
        answer_(unicode::strip(side.alt)) {}

  void add(Metric probe) {
    switch (probe) {
      case Metric::kNegation:
        return ask({probe, {}}, filled(forms_.negation, question_), {side_.alt});
      case Metric::kFactCheck:
        return check_facts();
      case Metric::kReverse:
        return reverse();
      case Metric::kPrefix:
        return ask_behind(forms_.passage, probe, PrefacePlace::kPrompt);
      case Metric::kPersona:
        return ask_behind(forms_.persona, probe, PrefacePlace::kPrompt);
      case Metric::kCompletion:
        return complete();
      case Metric::kDistance:
        return ask_behind(forms_.passage, probe, PrefacePlace::kQuestion);
      default:
        throw InternalError("probe: not one that is built");
    }
  }

  std::vector<EditQuestion> finish() { return std::move(questions_); }

 private:
  void ask(MetricKind kind, std::string question, std::vector<std::string> answers) {
    EditQuestion asked{.kind = kind,
                       .probe = 0,
                       .question = std::move(question),
                       .target = answers.front(),
                       .answers = std::move(answers)};
    questions_.push_back(std::move(asked));
  }

  void ask_behind(std::string_view preface, Metric probe, PrefacePlace place) {
    ask({probe, {}}, side_.src, {side_.alt});
    questions_.back().preface = preface;
    questions_.back().preface_place = place;
  }

  void leave_out(const char* why) { ++skipped_[why]; }

  void check_facts() {
    ask({Metric::kFactCheck, ProbeKind::kNewAnswer}, filled(forms_.fact_check, question_, answer_),
        word_list(forms_.yes));
    if (side_.old_answers.empty()) return leave_out("fact_check.old: no old answer");
    const std::string& old = side_.old_answers.front();
    if (matches_any(old, {&side_.alt, 1}, test_.iso))
      return leave_out("fact_check.old: the old answer is the new one");
    ask({Metric::kFactCheck, ProbeKind::kOldAnswer},
        filled(forms_.fact_check, question_, unicode::strip(old)), word_list(forms_.no));
  }

  void reverse() {
    const std::string subject(unicode::strip(side_.subject));
    if (subject.empty()) return leave_out("reverse: no subject");
    if (contains_any(side_.alt, {&subject, 1}, test_.iso))
      return leave_out("reverse: the answer names the subject");
    const auto question = with_gap(question_, subject, test_);
    if (!question) return leave_out("reverse: subject not in the question");
    if (contains_any(*question, {&subject, 1}, test_.iso))
      return leave_out("reverse: the question names the subject again");
    ask({Metric::kReverse, {}}, filled(forms_.reverse, *question, answer_), {subject});
  }

  void complete() {
    const bool is_question = question_.ends_with("?") || question_.ends_with("？");
    if (!is_question)
      return leave_out("completion: the question does not end with a question mark");
    ask({Metric::kCompletion, {}}, filled(forms_.completion, question_), {side_.alt});
  }

  const EditSide& side_;
  const Language& test_;
  const ProbeTemplates& forms_;
  std::map<std::string, int64_t>& skipped_;
  std::string_view question_, answer_;
  std::vector<EditQuestion> questions_;
};

}  // namespace

std::vector<std::string_view> built_probe_names() {
  std::vector<std::string_view> names;
  for (const auto& [name, metric] : kMetricNames) {
    if (is_built(metric)) names.push_back(name);
  }
  return names;
}

std::vector<EditQuestion> probe_questions(const EditSide& side, const Language& test,
                                          const std::vector<std::string>& probes,
                                          std::map<std::string, int64_t>& skipped) {
  if (probes.empty()) return {};
  const ProbeTemplates* forms = probe_templates(test.iso);
  XKDE_CHECK(forms != nullptr, ConfigError, "probes: expected a test language with templates (",
             fmt::format("{}", fmt::join(probed_languages(), ", ")), "), found ", test.iso);
  ProbeBuilder builder(side, test, *forms, skipped);
  for (const auto& [name, metric] : kMetricNames) {
    const bool is_asked = std::find(probes.begin(), probes.end(), name) != probes.end();
    if (is_built(metric) && is_asked) builder.add(metric);
  }
  return builder.finish();
}

}  // namespace xkde
