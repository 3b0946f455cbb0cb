#include "core/edit/prompt.h"
#include "core/evaluate/methods/methods.h"

namespace xkde {
namespace {

class Lte final : public EditMethod {
 public:
  std::string_view name() const override { return "lte"; }

 private:
  /// LTE's own code words the prompt otherwise for batches and streams.
  std::string prompt_with_facts(const PromptParts& parts) const override {
    return instruction_prompt(parts.is_stream ? "question" : "query", fact_texts(parts.facts),
                              parts.is_stream ? "Question" : "Query", parts.question);
  }
};

}  // namespace

const EditMethod& lte_method() {
  static const Lte kMethod;
  return kMethod;
}

}  // namespace xkde
