#ifndef XKDE_CORE_EDIT_BUILD_DATA_H_
#define XKDE_CORE_EDIT_BUILD_DATA_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/data/conversation.h"
#include "core/data/edit_record.h"
#include "core/data/language.h"
#include "core/edit/prompt.h"
#include "core/edit/test_questions.h"

namespace xkde {

/// Which question of a record becomes a training example.
enum class QuestionKind { kSrc, kRephrase, kLoc, kPortability };
/// "src", "rephrase", "loc", "portability", as in a recipe. Throws ConfigError listing the known
/// names.
QuestionKind question_kind_from_name(std::string_view name);
std::string_view question_kind_name(QuestionKind kind);

struct BuildOptions {
  std::vector<QuestionKind> questions{QuestionKind::kSrc, QuestionKind::kRephrase,
                                      QuestionKind::kLoc};
  /// After each `loc` example also the bare question with the same answer (protocol 3.3, case 4).
  /// In-scope questions without the edit would need the old answer, which these benchmarks do not
  /// carry.
  bool without_edit = false;
  PromptLanguage prompt_language = PromptLanguage::kTest;
};

struct TrainingExample {
  std::string id;        ///< identity_{n}_{source}_{s}{t}_{kind}, n counted over the whole set
  std::string question;  ///< alone, as in the benchmark
  std::string user;      ///< as the model is asked
  std::string answer;
  RowLanguages languages = {};
};

/// Appends the examples of one language pair, record after record, kind after kind; a kind that a
/// record does not have is left out. `source` names the benchmark. Throws DataError when a record
/// lacks a language.
void append_examples(std::vector<TrainingExample>& examples, const std::vector<EditRecord>& records,
                     std::string_view source, const Language& edit, const Language& test,
                     const BuildOptions& options);

/// Removes the examples whose question is asked by a test; returns how many. Ids of the others
/// stay.
int64_t remove_test_questions(std::vector<TrainingExample>& examples, const TestQuestions& asked);

/// The examples in the form of protocol 1.5.
std::vector<Conversation> to_conversations(const std::vector<TrainingExample>& examples);

}  // namespace xkde

#endif  // XKDE_CORE_EDIT_BUILD_DATA_H_
