#include "core/evaluate/scored_prompts.h"

#include <algorithm>
#include <filesystem>
#include <numeric>
#include <set>
#include <utility>

#include "core/base/common_prefix.h"
#include "core/base/error.h"
#include "core/data/at_row.h"

namespace xkde {

std::string ScoredPrompts::place_of(size_t prompt) const {
  const auto item =
      std::find_if(asked_.items.begin(), asked_.items.end(), [&](const EvalItem& one) {
        return one.prompt == prompt ||
               (one.reference && asked_.references[*one.reference] == prompt);
      });
  XKDE_CHECK(item != asked_.items.end(), InternalError, "evaluation: no question asks prompt ",
             prompt);
  const EditMoment& moment = asked_.moments[item->moment];
  const EvalStream& stream = inputs_.streams[moment.stream];
  const auto position = static_cast<size_t>(moment.edit);
  const EvalEdit& edit = stream.edits[position];
  const LanguagePair& pair = inputs_.pairs[stream.pairs[position]];
  EditSelection of_pair = options_;
  of_pair.edit_languages = {pair.first};
  of_pair.test_languages = {pair.second};
  const std::set<std::filesystem::path> files = of_pair.files(Split::kTest);
  const std::filesystem::path& file = files.size() == 1 ? *files.begin() : options_.data;
  return concat(file.string(), ": row ", edit.record, ": ", edit.asked[item->question].kind.name());
}

ScoredSequence ScoredPrompts::at(size_t prompt) const {
  const EvalPrompt& asked = asked_.prompts[prompt];
  const auto make = [&] {
    return options_.scoring == Scoring::kEasyEdit
               ? scored_in_context(writer_.tokenizer, asked.text.user, asked.target)
               : scored_sequence(writer_.tokenizer, writer_.chat_template, asked.text.user,
                                 asked.target);
  };
  return at_row([&] { return place_of(prompt); }, make);
}

std::vector<size_t> ScoredPrompts::numbers() const {
  std::vector<size_t> numbers(asked_.prompts.size());
  std::iota(numbers.begin(), numbers.end(), size_t{0});
  return numbers;
}

std::vector<PromptTokens> ScoredPrompts::tokens(std::span<const size_t> prompts) const {
  std::vector<PromptTokens> all;
  std::vector<int64_t> before;
  for (const size_t prompt : prompts) {
    std::vector<int64_t> ids = at(prompt).ids;
    all.push_back({std::ssize(ids), common_prefix(before, ids)});
    before = std::move(ids);
  }
  return all;
}

int64_t ScoredPrompts::prompt_length(size_t prompt, const ScoredSequence& scored) const {
  if (options_.scoring == Scoring::kEasyEdit) return scored.first_prediction + 1;
  const EvalPrompt& asked = asked_.prompts[prompt];
  return xkde::prompt_length(writer_.tokenizer, writer_.chat_template, asked.text.user,
                             asked.target, scored);
}

}  // namespace xkde
