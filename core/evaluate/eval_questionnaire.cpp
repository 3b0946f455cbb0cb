#include "core/evaluate/eval_questionnaire.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <string_view>
#include <utility>

#include "core/edit/brief_instruction.h"
#include "core/evaluate/extra_metrics.h"
#include "core/io/sha256.h"

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
        asks_exact_(needs(options.extra_metrics, MetricInput::kFreeAnswer)) {
    if (options.free_answers) contexts_ = FreeChoice(*options.free_answers).contexts;
    if (options.method->editor()) find_equal_streams();
  }

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
                  .free = {},
                  .free_references = {}};
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
    const std::string& language = inputs_.pairs[stream.pairs[position]].second;
    if (question.kind.metric == Metric::kLocality) {
      const EvalText bare{kAsTrained, options_.method->bare_prompt(question.question)};
      item.reference = prompt(bare, question.target);
      references_.insert(*item.reference);
      for (const FreeContext context : contexts_) {
        item.free_references.push_back(free(context, bare, language));
        free_references_.insert(item.free_references.back());
      }
    } else if (asks_exact_) {
      item.free.push_back(free(FreeContext::kExact, text, language));
    }
    for (const FreeContext context : contexts_) item.free.push_back(free(context, text, language));
    items_.push_back(std::move(item));
  }

  EvalQuestionnaire finish(std::vector<EditMoment> moments) {
    EvalQuestionnaire all;
    all.moments = std::move(moments);
    auto [prompts, place_of_prompt] = prompts_.sorted();
    auto [free, place_of_free] = free_.sorted();
    all.references = places_of(references_, place_of_prompt);
    all.free_references = places_of(free_references_, place_of_free);
    for (EvalItem& item : items_) {
      item.prompt = place_of_prompt[item.prompt];
      for (size_t& one : item.free) one = place_of_free[one];
      if (!item.reference) continue;
      item.reference = place_in(all.references, place_of_prompt[*item.reference]);
      for (size_t& one : item.free_references)
        one = place_in(all.free_references, place_of_free[one]);
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

  /// The same edits asked in several languages are as many streams, and one set of weights.
  void find_equal_streams() {
    std::map<std::string, size_t> first;
    for (size_t i = 0; i < inputs_.streams.size(); ++i) {
      const EvalStream& stream = inputs_.streams[i];
      std::string edits;
      for (size_t edit = 0; edit < stream.edits.size(); ++edit) {
        const EvalEdit& one = stream.edits[edit];
        const char end = 0;
        edits += inputs_.pairs[stream.pairs[edit]].first + end + one.subject + end;
        edits += one.question + end + one.target + end;
      }
      same_edits_.push_back(first.emplace(std::move(edits), i).first->second);
    }
  }

  /// The number of the weights that hold the edits of a moment.
  size_t weights_at(const EditMoment& when) {
    if (!options_.method->editor()) return kAsTrained;
    const EditedWeights edited{same_edits_[when.stream], when.memory_begin, when.memory_end};
    const auto [place, is_new] = numbers_of_weights_.emplace(edited, edited_.size() + 1);
    if (is_new) edited_.push_back(edited);
    return place->second;
  }

  static std::vector<size_t> places_of(const std::set<size_t>& numbers,
                                       const std::vector<size_t>& places) {
    std::vector<size_t> sorted;
    for (const size_t number : numbers) sorted.push_back(places[number]);
    std::sort(sorted.begin(), sorted.end());
    return sorted;
  }

  static size_t place_in(const std::vector<size_t>& sorted, size_t value) {
    return static_cast<size_t>(std::lower_bound(sorted.begin(), sorted.end(), value) -
                               sorted.begin());
  }

  size_t free(FreeContext context, EvalText text, const std::string& language) {
    if (context == FreeContext::kInstruction)
      text.user = ask_briefly(text.user, language_of(language).iso);
    FreePrompt prompt{context, std::move(text)};
    return free_.add(prompt, prompt);
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
    const std::string text = question.shown_text();
    PromptParts parts{.facts = {},
                      .question = text,
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
    return question.prompt_of(options_.method->prompt(parts));
  }

  std::vector<EvalText> edit_questions(const std::vector<EditMoment>& moments) {
    std::set<EvalText> questions;
    for (const EditMoment& moment : moments) {
      if (moment.is_at_once) continue;
      const EvalStream& stream = inputs_.streams[moment.stream];
      questions.insert(
          {weights_at(moment), stream.edits[static_cast<size_t>(moment.edit)].question});
    }
    return {questions.begin(), questions.end()};
  }

  const EvalOptions& options_;
  const EvalInputs& inputs_;
  const std::vector<std::vector<std::string>>& demonstrations_;
  bool asks_exact_;
  std::vector<FreeContext> contexts_;
  std::vector<EvalItem> items_;
  Numbered<std::pair<EvalText, std::string>, EvalPrompt> prompts_;
  Numbered<FreePrompt, FreePrompt> free_;
  std::set<size_t> references_, free_references_;
  std::vector<size_t> same_edits_;  ///< of each stream: the first one with its edits
  std::vector<EditedWeights> edited_;
  std::map<EditedWeights, size_t> numbers_of_weights_;
};

}  // namespace

std::string digest_of(const EvalQuestionnaire& asked) {
  Sha256 digest;
  const auto add = [&digest](const EvalText& text, std::string_view more) {
    // Lengths part the texts: no two lists have the same bytes.
    const std::string head = concat(text.weights, " ", text.user.size(), " ", more.size(), " ");
    for (const std::string_view part : {std::string_view(head), std::string_view(text.user), more})
      digest.update(part.data(), part.size());
  };
  for (const EvalPrompt& one : asked.prompts) add(one.text, one.target);
  for (const FreePrompt& one : asked.free_prompts)
    add(one.text, std::to_string(static_cast<int>(one.context)));
  for (const EvalText& one : asked.fluency_prompts) add(one, "fluency");
  return digest.hex();
}

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
