#include "core/edit/prompt.h"
#include "core/evaluate/methods/methods.h"

namespace xkde {
namespace {

class Xkde final : public EditMethod {
 public:
  std::string_view name() const override { return "xkde"; }

 private:
  std::string prompt_with_facts(const PromptParts& parts) const override {
    return edit_prompt(fact_texts(parts.facts), parts.question, *parts.language,
                       parts.prompt_language);
  }
};

}  // namespace

const EditMethod& xkde_method() {
  static const Xkde kMethod;
  return kMethod;
}

}  // namespace xkde
