#include <memory>

#include "core/evaluate/methods/methods.h"

namespace xkde {
namespace {

/// The bare question, to weights that an editor wrote. It is asked as texts stand, as the authors
/// of editors do, unless the recipe says otherwise.
class WeightMethod final : public EditMethod {
 public:
  explicit WeightMethod(const EditorEntry& entry) : entry_(entry) {}
  std::string_view name() const override { return entry_.name; }
  Defaults defaults() const override { return {.chat_template = "plain"}; }
  bool needs_memory() const override { return false; }
  std::optional<EditorKind> editor() const override { return entry_.value; }

 private:
  std::string prompt_with_facts(const PromptParts& parts) const override {
    return bare_prompt(parts.question);
  }
  const EditorEntry& entry_;
};

}  // namespace

std::span<const EditMethod* const> weight_methods() {
  static const std::vector<const EditMethod*> kMethods = [] {
    static std::vector<std::unique_ptr<WeightMethod>> owned;
    std::vector<const EditMethod*> methods;
    for (const EditorEntry& entry : kEditors)
      methods.push_back(owned.emplace_back(std::make_unique<WeightMethod>(entry)).get());
    return methods;
  }();
  return kMethods;
}

}  // namespace xkde
