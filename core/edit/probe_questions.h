#ifndef XKDE_CORE_EDIT_PROBE_QUESTIONS_H_
#define XKDE_CORE_EDIT_PROBE_QUESTIONS_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/data/edit_record.h"
#include "core/data/language.h"
#include "core/edit/edit_questions.h"

namespace xkde {

/// The probes that recipes may name, in the order of Metric.
std::vector<std::string_view> built_probe_names();

/// The named probes of one edit (protocol 6.11), in the order of Metric and by the templates of
/// `test`, in which `side` is. What a row does not allow is left out and counted in `skipped`
/// ("reverse: subject not in the question"). A prefix is whole here; see cut_prefixes(). Throws
/// ConfigError where the language has no templates.
std::vector<EditQuestion> probe_questions(const EditSide& side, const Language& test,
                                          const std::vector<std::string>& probes,
                                          std::map<std::string, int64_t>& skipped);

}  // namespace xkde

#endif  // XKDE_CORE_EDIT_PROBE_QUESTIONS_H_
