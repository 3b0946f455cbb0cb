#include "core/base/error.h"
#include "core/evaluate/methods/methods.h"

namespace xkde {
namespace {

std::string question_block(std::string_view question, std::string_view answer) {
  return concat("Question: ", question, " Answer: ", answer, "\n");
}

class Remake final : public EditMethod, public Demonstrator {
 public:
  std::string_view name() const override { return "remake"; }
  std::string_view label(bool has_demonstrations) const override {
    return has_demonstrations ? "remake-few" : "remake-zero";
  }
  Defaults defaults() const override {
    return {.chat_template = "plain", .nq_prefix = NqPrefix::kCut};
  }
  bool shows_one_fact() const override { return true; }
  const Demonstrator* demonstrator() const override { return this; }
  std::string bare_prompt(std::string_view question) const override {
    return concat("Question: ", question, " Answer:");
  }

  /// The question with its answer in the edit language and, where that is another one, in the test
  /// language. The key is the question in the edit language.
  void add(const Demonstration& one, Shelf& shelf) const override {
    std::string text = question_block(one.edit_side.src, one.edit_side.alt);
    if (one.is_bilingual) text += question_block(one.test_side.src, one.test_side.alt);
    shelf.keys.push_back(one.edit_side.src);
    shelf.texts.push_back(text + "\n");
  }

  std::string query(const QaPair& fact) const override { return fact.question; }

 private:
  std::string prompt_with_facts(const PromptParts& parts) const override {
    const QaPair& fact = parts.facts.front();
    return concat(parts.demonstrations, question_block(fact.question, fact.answer),
                  bare_prompt(parts.question));
  }
};

}  // namespace

const EditMethod& remake_method() {
  static const Remake kMethod;
  return kMethod;
}

}  // namespace xkde
