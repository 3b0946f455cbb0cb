#ifndef XKDE_CORE_EDIT_EDIT_CASE_H_
#define XKDE_CORE_EDIT_EDIT_CASE_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/data/edit_record.h"
#include "core/data/language.h"
#include "core/edit/test_questions.h"

namespace xkde {

/// One edit in one language pair with all that may be asked about it, whichever data it is from.
struct EditCase {
  int64_t index = 0;     ///< position in its data
  std::string subject;   ///< in the edit language, as are the next two
  std::string edit_src;  ///< the question of the fact
  std::string fact;      ///< fact_text of question and new answer
  std::string src;       ///< in the test language, as is what follows
  std::string alt;
  std::string old_answer;              ///< empty when unknown
  std::vector<std::string> rephrases;  ///< of `src`
  std::vector<QaPair> portability;     ///< in scope
  std::vector<QaPair> locality;        ///< out of scope, without "nq question: "
};

/// Of several answers to a probe it takes the first alias of the first one (protocol 3.1). Throws
/// DataError when the record lacks a language.
EditCase edit_case(const EditRecord& record, const Language& edit, const Language& test);

/// Takes out what a test asks, counting it: "test question: src" (the whole case goes, as every
/// sample of it would show its fact), "test question: rephrase", "... portability", "... locality".
void remove_test_questions(std::vector<EditCase>& cases, const TestQuestions& asked,
                           std::map<std::string, int64_t>& removed);

}  // namespace xkde

#endif  // XKDE_CORE_EDIT_EDIT_CASE_H_
