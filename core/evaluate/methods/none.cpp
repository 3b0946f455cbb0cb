#include "core/evaluate/methods/methods.h"

namespace xkde {
namespace {

/// Shows nothing, so that results say what the model knows by itself.
class None final : public EditMethod {
 public:
  std::string_view name() const override { return "none"; }
  bool needs_memory() const override { return false; }

 private:
  std::string prompt_with_facts(const PromptParts& parts) const override {
    return bare_prompt(parts.question);
  }
};

}  // namespace

const EditMethod& none_method() {
  static const None kMethod;
  return kMethod;
}

}  // namespace xkde
