#ifndef XKDE_CORE_DATA_EDIT_RECORD_H_
#define XKDE_CORE_DATA_EDIT_RECORD_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace xkde {

/// A question and the answer it should get.
struct Probe {
  std::string question;
  std::string answer;
};

/// One fact as one language states it (protocol 1.1), texts exactly as in the file (outer blanks
/// kept).
struct EditSide {
  std::string subject;
  std::string src;                ///< the edit question
  std::string alt;                ///< its new answer
  std::string rephrase;           ///< the question in other words; empty when the layout has none
  std::optional<Probe> locality;  ///< an unrelated question (protocol: loc, loc_ans)
  std::optional<Probe> portability;  ///< a one-hop question that needs the new fact
  std::string old_answer = {};       ///< what `src` had for an answer; empty where unknown
};

/// One parallel edit: the same fact in several languages, by ISO code.
struct EditRecord {
  int64_t index = 0;  ///< position in the benchmark, from 0
  std::map<std::string, EditSide> sides;
};

}  // namespace xkde

#endif  // XKDE_CORE_DATA_EDIT_RECORD_H_
