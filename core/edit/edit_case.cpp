#include "core/edit/edit_case.h"

#include "core/edit/edit_questions.h"
#include "core/edit/prompt.h"

namespace xkde {

EditCase edit_case(const EditRecord& record, const Language& edit, const Language& test) {
  const EditSide& edited = side_of(record, edit);
  const EditSide& asked = side_of(record, test);
  EditCase one;
  one.index = record.index;
  one.subject = edited.subject;
  one.edit_src = edited.src;
  one.fact = fact_text(edited.src, edited.alt);
  one.src = asked.src;
  one.rephrases = asked.rephrases;
  one.alt = asked.alt;
  if (!asked.old_answers.empty()) one.old_answer = asked.old_answers.front();
  for (const Probe& probe : asked.probes) {
    if (is_locality(probe.kind)) {
      one.locality.push_back({std::string(without_nq_prefix(probe.question)), probe.first_alias()});
    } else {
      one.portability.push_back({probe.question, probe.first_alias()});
    }
  }
  return one;
}

void remove_test_questions(std::vector<EditCase>& cases, const TestQuestions& asked,
                           std::map<std::string, int64_t>& removed) {
  const auto count = [&removed](const char* what, size_t n) {
    if (n > 0) removed[std::string("test question: ") + what] += static_cast<int64_t>(n);
  };
  const auto is_asked = [&asked](const QaPair& pair) { return asked.contains(pair.question); };
  count("src", std::erase_if(cases, [&asked](const EditCase& one) {
          return asked.contains(one.edit_src) || asked.contains(one.src);
        }));
  for (EditCase& one : cases) {
    count("rephrase", std::erase_if(one.rephrases, [&asked](const std::string& rephrase) {
            return asked.contains(rephrase);
          }));
    count("portability", std::erase_if(one.portability, is_asked));
    count("locality", std::erase_if(one.locality, is_asked));
  }
}

}  // namespace xkde
