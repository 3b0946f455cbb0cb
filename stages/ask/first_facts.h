#ifndef XKDE_STAGES_ASK_FIRST_FACTS_H_
#define XKDE_STAGES_ASK_FIRST_FACTS_H_

#include <memory>
#include <vector>

#include "core/data/edit_record.h"
#include "core/memory/fact_finder.h"
#include "stages/ask/ask_options.h"
#include "stages/evaluate/keys.h"
#include "stages/recipe/recipe.h"

namespace xkde::ask {

/// The recipe's last `evaluate`; null: none.
const recipe::EvaluateStage* last_evaluation(const recipe::Recipe& recipe);

/// The facts with which a session begins.
struct FirstFacts {
  std::unique_ptr<FactFinder> finder;
  /// What their file says of the facts, in their order; empty where they come from elsewhere.
  std::vector<EditRecord> records;
};

/// Facts are those of the file that the options name, of their memory, of the memory in the model's
/// folder (export.memory), or the edits of the recipe's last evaluate stage, which a new memory
/// gets too. An encoder finds them (EditMemory), or their letters do (QuestionIndex). Throws as the
/// parts do, MissingInputError where there is a memory and no encoder.
FirstFacts first_facts(const AskOptions& options, const recipe::Recipe& recipe);

}  // namespace xkde::ask

#endif  // XKDE_STAGES_ASK_FIRST_FACTS_H_
