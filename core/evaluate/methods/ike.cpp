#include "core/base/error.h"
#include "core/evaluate/methods/methods.h"

namespace xkde {
namespace {

/// "New Fact: {q} {a}\nPrompt: {question}".
std::string block(const QaPair& fact, std::string_view question) {
  return concat("New Fact: ", fact.question, " ", fact.answer, "\nPrompt: ", question);
}

std::string demonstration(const QaPair& fact, const QaPair& shown) {
  return concat(block(fact, shown.question), " ", shown.answer, "\n\n");
}

class Ike final : public EditMethod, public Demonstrator {
 public:
  std::string_view name() const override { return "ike"; }
  std::string_view label(bool has_demonstrations) const override {
    return has_demonstrations ? "ike" : "ice";
  }
  Defaults defaults() const override { return {.chat_template = "plain"}; }
  bool shows_one_fact() const override { return true; }
  const Demonstrator* demonstrator() const override { return this; }

  /// The fact asked itself, in other words, and beside something else. An example is its own key.
  void add(const Demonstration& one, Shelf& shelf) const override {
    const QaPair fact{one.edit_side.src, one.edit_side.alt};
    const EditSide& test = one.test_side;
    std::vector<std::string> texts{demonstration(fact, {test.src, test.alt})};
    if (!test.rephrases.empty())
      texts.push_back(demonstration(fact, {test.rephrases.front(), test.alt}));
    if (const Probe* probe = test.first_probe(/*locality=*/true)) {
      texts.push_back(demonstration(
          fact, {std::string(without_nq_prefix(probe->question)), probe->first_alias()}));
    }
    for (std::string& text : texts) {
      shelf.keys.push_back(text);
      shelf.texts.push_back(std::move(text));
    }
  }

  /// An example of the fact without its answer.
  std::string query(const QaPair& fact) const override {
    return block(fact, fact.question) + "\n\n";
  }

 private:
  std::string prompt_with_facts(const PromptParts& parts) const override {
    return concat(parts.demonstrations, block(parts.facts.front(), parts.question));
  }
};

}  // namespace

const EditMethod& ike_method() {
  static const Ike kMethod;
  return kMethod;
}

}  // namespace xkde
