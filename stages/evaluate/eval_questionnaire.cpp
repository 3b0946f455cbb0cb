#include "stages/evaluate/eval_questionnaire.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "core/base/error.h"

namespace xkde::recipe {
namespace {

/// Texts that get a number each, in the order in which they come; sorted at the end.
template <typename Value>
class Numbered {
 public:
  size_t add(const std::string& key, Value value) {
    const auto [place, is_new] = numbers_.emplace(key, values_.size());
    if (is_new) values_.push_back(std::move(value));
    return place->second;
  }
  Value& at(size_t number) { return values_[number]; }

  /// The values by their keys, and where each number went.
  std::pair<std::vector<Value>, std::vector<size_t>> sorted() {
    std::vector<std::pair<std::string_view, size_t>> order(numbers_.begin(), numbers_.end());
    std::sort(order.begin(), order.end());
    std::vector<Value> values;
    values.reserve(order.size());
    std::vector<size_t> places(order.size());
    for (const auto& [key, number] : order) {
      places[number] = values.size();
      values.push_back(std::move(values_[number]));
    }
    return {std::move(values), std::move(places)};
  }

 private:
  std::unordered_map<std::string, size_t> numbers_;
  std::vector<Value> values_;
};

class Writer {
 public:
  Writer(const EvaluateStage& stage, const EvalInputs& inputs,
         const std::vector<std::vector<std::string>>& demonstrations)
      : stage_(stage),
        inputs_(inputs),
        demonstrations_(demonstrations),
        method_(prompt_method(stage)) {}

  /// `retrieved` null: the edit's own fact is shown.
  void add(size_t moment, const EditMoment& when, size_t number,
           const std::vector<int64_t>* retrieved) {
    const EvalStream& stream = inputs_.streams[when.stream];
    const auto position = static_cast<size_t>(when.edit);
    const EvalEdit& edit = stream.edits[position];
    const EditQuestion& question = edit.asked[number];
    EvalItem item{.moment = moment,
                  .question = number,
                  .retrieved = {},
                  .rank_of_fact = 0,
                  .prompt = 0,
                  .reference = {},
                  .free = {}};
    if (retrieved != nullptr) {
      item.retrieved = *retrieved;
      item.rank_of_fact = rank_of(stream, edit, item.retrieved);
    }
    const std::vector<int64_t> shown =
        retrieved != nullptr ? item.retrieved : std::vector<int64_t>{when.edit};
    const std::string user = words(when.stream, stream.pairs[position], question, shown);
    item.prompt = prompt(user, question.target);
    if (question.kind.metric == Metric::kReliability) ++prompts_.at(item.prompt).edits;
    if (question.kind.metric == Metric::kLocality) {
      item.reference = prompt(bare_prompt(method_, question.question), question.target);
      references_.insert(*item.reference);
    } else if (stage_.wants("exact")) {
      item.free = free_.add(user, user);
    }
    items_.push_back(std::move(item));
  }

  EvalQuestionnaire finish(std::vector<EditMoment> moments) {
    EvalQuestionnaire all;
    all.moments = std::move(moments);
    auto [prompts, place_of_prompt] = prompts_.sorted();
    auto [free, place_of_free] = free_.sorted();
    for (const size_t reference : references_) all.references.push_back(place_of_prompt[reference]);
    std::sort(all.references.begin(), all.references.end());
    for (EvalItem& item : items_) {
      item.prompt = place_of_prompt[item.prompt];
      if (item.free) item.free = place_of_free[*item.free];
      if (!item.reference) continue;
      const auto found = std::lower_bound(all.references.begin(), all.references.end(),
                                          place_of_prompt[*item.reference]);
      item.reference = static_cast<size_t>(found - all.references.begin());
    }
    all.items = std::move(items_);
    all.prompts = std::move(prompts);
    all.free_prompts = std::move(free);
    if (stage_.wants("fluency")) all.fluency_prompts = edit_questions(all.moments);
    return all;
  }

 private:
  size_t prompt(const std::string& user, const std::string& target) {
    return prompts_.add(user + '\0' + target, {user, target, 0});
  }

  /// By the fact's words: an edit that stands in the memory twice is found either way.
  static int64_t rank_of(const EvalStream& stream, const EvalEdit& edit,
                         const std::vector<int64_t>& retrieved) {
    for (size_t i = 0; i < retrieved.size(); ++i) {
      const EvalEdit& other = stream.edits[static_cast<size_t>(retrieved[i])];
      if (other.question == edit.question && other.target == edit.target)
        return static_cast<int64_t>(i) + 1;
    }
    return 0;
  }

  std::string words(size_t stream, size_t pair, const EditQuestion& question,
                    const std::vector<int64_t>& shown) const {
    if (method_ == PromptMethod::kNone) return bare_prompt(method_, question.question);
    Asked asked{.facts = {},
                .question = question.question,
                .language_name = language_name(inputs_.pairs[pair].second),
                .demonstrations = {},
                .is_stream = stage_.mode != "single"};
    for (const int64_t one : shown) {
      const EvalEdit& fact = inputs_.streams[stream].edits[static_cast<size_t>(one)];
      asked.facts.push_back({fact.question, fact.target});
    }
    if (!demonstrations_.empty() && !shown.empty())
      asked.demonstrations = demonstrations_[stream][static_cast<size_t>(shown.front())];
    return method_prompt(method_, asked);
  }

  std::string_view language_name(const std::string& code) const {
    const Language& language = language_of(code);
    // The published evaluator asks for Chinese in every other language (Q1).
    if (stage_.prompt_language == "xk" && language.iso != "en")
      return language_of("zh").english_name;
    return language.english_name;
  }

  std::vector<std::string> edit_questions(const std::vector<EditMoment>& moments) const {
    std::set<std::string> questions;
    for (const EditMoment& moment : moments) {
      questions.insert(
          inputs_.streams[moment.stream].edits[static_cast<size_t>(moment.edit)].question);
    }
    return {questions.begin(), questions.end()};
  }

  const EvaluateStage& stage_;
  const EvalInputs& inputs_;
  const std::vector<std::vector<std::string>>& demonstrations_;
  PromptMethod method_;
  std::vector<EvalItem> items_;
  Numbered<EvalPrompt> prompts_;
  Numbered<std::string> free_;
  std::set<size_t> references_;
};

}  // namespace

PromptMethod prompt_method(const EvaluateStage& stage) {
  if (stage.method == "none") return PromptMethod::kNone;
  if (stage.method == "lte") return PromptMethod::kLte;
  if (stage.method == "ike") return PromptMethod::kIke;
  if (stage.method == "remake") return PromptMethod::kRemake;
  XKDE_CHECK(stage.method == "xkde", InternalError,
             "evaluate.method: not one of its names: ", stage.method);
  return PromptMethod::kXkde;
}

EvalQuestionnaire make_questionnaire(const EvaluateStage& stage, const EvalInputs& inputs,
                                     std::vector<EditMoment> moments, const Retrieved& retrieved,
                                     const std::vector<std::vector<std::string>>& demonstrations) {
  Writer writer(stage, inputs, demonstrations);
  size_t next = 0;
  for (size_t i = 0; i < moments.size(); ++i) {
    const EditMoment& moment = moments[i];
    const EvalEdit& edit = inputs.streams[moment.stream].edits[static_cast<size_t>(moment.edit)];
    for (size_t question = 0; question < edit.asked.size(); ++question, ++next) {
      writer.add(i, moment, question, retrieved.empty() ? nullptr : &retrieved.at(next));
    }
  }
  return writer.finish(std::move(moments));
}

}  // namespace xkde::recipe
