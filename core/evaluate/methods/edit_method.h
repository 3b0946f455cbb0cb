#ifndef XKDE_CORE_EVALUATE_METHODS_EDIT_METHOD_H_
#define XKDE_CORE_EVALUATE_METHODS_EDIT_METHOD_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/data/edit_record.h"
#include "core/edit/prompt.h"
#include "core/edit/test_questions.h"
#include "core/editing/editor_options.h"

namespace xkde {

/// What a prompt about one question is made of.
struct PromptParts {
  std::vector<QaPair> facts;  ///< question and new answer in the edit language, best first
  std::string_view question;
  const Language* language = &language_of("en");  ///< the test language; never null
  PromptLanguage prompt_language = PromptLanguage::kTest;
  std::string_view demonstrations = {};  ///< texts of a Shelf, one after another
  bool is_stream = false;                ///< the edits come in batches or streams
};

/// A record whose edit is shown as an example: its question in both languages of a pair.
struct Demonstration {
  EditSide edit_side;
  EditSide test_side;
  bool is_bilingual = false;  ///< the two languages differ
};

/// Examples to choose from. Both lists have one entry for each example.
struct Shelf {
  std::vector<std::string> keys;   ///< what a query is compared with
  std::vector<std::string> texts;  ///< what the prompt shows
};

/// How a method writes examples and looks them up (protocol 2.3, 2.4).
class Demonstrator {
 public:
  virtual ~Demonstrator() = default;
  /// Adds the examples that one record gives.
  virtual void add(const Demonstration& one, Shelf& shelf) const = 0;
  /// The text whose nearest keys on the shelf are shown before the fact.
  virtual std::string query(const QaPair& fact) const = 0;
};

/// A way to make a model answer with an edit: shown in the prompt, or written into weights. All
/// methods run on the same harness. To add one, write a file beside xkde.cpp, declare its function
/// in methods.h and list it in methods.cpp.
class EditMethod {
 public:
  /// Values of recipe keys that the recipe leaves out.
  struct Defaults {
    std::string_view chat_template = "model";
    NqPrefix nq_prefix = NqPrefix::kKeep;
  };

  virtual ~EditMethod() = default;

  virtual std::string_view name() const = 0;  ///< as recipes write it
  /// What result rows call the method, with and without demonstrations.
  virtual std::string_view label(bool has_demonstrations) const;
  virtual Defaults defaults() const { return {}; }
  /// Whether prompts show facts. Where several edits are held at once, a memory must give them.
  virtual bool needs_memory() const { return true; }
  /// Whether a prompt has room for one fact only.
  virtual bool shows_one_fact() const { return false; }
  /// The editor that makes weights of the edits; nothing where prompts show them. Each question is
  /// asked of the weights that hold the edits of its moment (EditedWeights), and of no others.
  virtual std::optional<EditorKind> editor() const { return std::nullopt; }
  /// How examples are shown; null for a method that shows none.
  virtual const Demonstrator* demonstrator() const { return nullptr; }

  /// The user's text. Without facts it is bare_prompt(). Throws InternalError when there are more
  /// facts than the method shows.
  std::string prompt(const PromptParts& parts) const;
  /// The same question with nothing shown: what locality is compared with.
  virtual std::string bare_prompt(std::string_view question) const;

 private:
  /// There is at least one fact, and only one where shows_one_fact().
  virtual std::string prompt_with_facts(const PromptParts& parts) const = 0;
};

/// Each fact as fact_text().
std::vector<std::string> fact_texts(const std::vector<QaPair>& facts);

}  // namespace xkde

#endif  // XKDE_CORE_EVALUATE_METHODS_EDIT_METHOD_H_
