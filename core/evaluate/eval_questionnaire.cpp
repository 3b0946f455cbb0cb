#include "core/evaluate/eval_questionnaire.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <string_view>
#include <utility>

#include "core/evaluate/extra_metrics.h"

namespace xkde {
namespace {

/// Values that get a number each, in the order in which they come; sorted by key at the end.
template <typename Key, typename Value>
class Numbered {
 public:
  size_t add(Key key, Value value) {
    const auto [place, is_new] = numbers_.emplace(std::move(key), values_.size());
    if (is_new) values_.push_back(std::move(value));
    return place->second;
  }
  Value& at(size_t number) { return values_[number]; }

  /// The values by their keys, and where each number went.
  std::pair<std::vector<Value>, std::vector<size_t>> sorted() {
    std::vector<Value> values;
    values.reserve(numbers_.size());
    std::vector<size_t> places(numbers_.size());
    for (const auto& [key, number] : numbers_) {
      places[number] = values.size();
      values.push_back(std::move(values_[number]));
    }
    return {std::move(values), std::move(places)};
  }

 private:
  std::map<Key, size_t> numbers_;
  std::vector<Value> values_;
};

class QuestionnaireBuilder {
 public:
  QuestionnaireBuilder(const EvalOptions& options, const EvalInputs& inputs,
                       const std::vector<std::vector<std::string>>& demonstrations)
      : options_(options),
        inputs_(inputs),
        demonstrations_(demonstrations),
        asks_free_(needs(options.extra_metrics, MetricInput::kFreeAnswer)) {}

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
    const EvalText text{weights_at(when),
                        words(when.stream, stream.pairs[position], question, shown)};
    item.prompt = prompt(text, question.target);
    if (question.kind.metric == Metric::kReliability) ++prompts_.at(item.prompt).edits;
    if (question.kind.metric == Metric::kLocality) {
      item.reference =
          prompt({kAsTrained, options_.method->bare_prompt(question.question)}, question.target);
      references_.insert(*item.reference);
    } else if (asks_free_) {
      item.free = free_.add(text, text);
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
    if (needs(options_.extra_metrics, MetricInput::kContinuation))
      all.fluency_prompts = edit_questions(all.moments);
    all.edited = std::move(edited_);
    return all;
  }

 private:
  static constexpr size_t kAsTrained = 0;

  /// The number of the weights that hold the edits of a moment.
  size_t weights_at(const EditMoment& when) {
    if (!options_.method->writes_weights()) return kAsTrained;
    const EditedWeights edited{when.stream, when.memory_begin, when.memory_end};
    const auto [place, is_new] = numbers_of_weights_.emplace(edited, edited_.size() + 1);
    if (is_new) edited_.push_back(edited);
    return place->second;
  }

  size_t prompt(const EvalText& text, const std::string& target) {
    return prompts_.add({text, target}, {text, target, 0});
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
    PromptParts parts{.facts = {},
                      .question = question.question,
                      .language = &language_of(inputs_.pairs[pair].second),
                      .prompt_language = options_.prompt_language,
                      .demonstrations = {},
                      .is_stream = options_.mode != EditMode::kSingle};
    for (const int64_t one : shown) {
      const EvalEdit& fact = inputs_.streams[stream].edits[static_cast<size_t>(one)];
      parts.facts.push_back({fact.question, fact.target});
    }
    if (!demonstrations_.empty() && !shown.empty())
      parts.demonstrations = demonstrations_[stream][static_cast<size_t>(shown.front())];
    return options_.method->prompt(parts);
  }

  std::vector<EvalText> edit_questions(const std::vector<EditMoment>& moments) {
    std::set<EvalText> questions;
    for (const EditMoment& moment : moments) {
      const EvalStream& stream = inputs_.streams[moment.stream];
      questions.insert(
          {weights_at(moment), stream.edits[static_cast<size_t>(moment.edit)].question});
    }
    return {questions.begin(), questions.end()};
  }

  const EvalOptions& options_;
  const EvalInputs& inputs_;
  const std::vector<std::vector<std::string>>& demonstrations_;
  bool asks_free_;
  std::vector<EvalItem> items_;
  Numbered<std::pair<EvalText, std::string>, EvalPrompt> prompts_;
  Numbered<EvalText, EvalText> free_;
  std::set<size_t> references_;
  std::vector<EditedWeights> edited_;
  std::map<EditedWeights, size_t> numbers_of_weights_;
};

}  // namespace

EvalQuestionnaire make_questionnaire(const EvalOptions& options, const EvalInputs& inputs,
                                     std::vector<EditMoment> moments, const Retrieved& retrieved,
                                     const std::vector<std::vector<std::string>>& demonstrations) {
  QuestionnaireBuilder builder(options, inputs, demonstrations);
  size_t next = 0;
  for (size_t i = 0; i < moments.size(); ++i) {
    const EditMoment& moment = moments[i];
    const EvalEdit& edit = inputs.streams[moment.stream].edits[static_cast<size_t>(moment.edit)];
    for (size_t question = 0; question < edit.asked.size(); ++question, ++next) {
      builder.add(i, moment, question, retrieved.empty() ? nullptr : &retrieved.at(next));
    }
  }
  return builder.finish(std::move(moments));
}

}  // namespace xkde
