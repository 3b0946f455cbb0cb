#ifndef XKDE_STAGES_REPORT_HTML_REPORT_H_
#define XKDE_STAGES_REPORT_HTML_REPORT_H_

#include <span>
#include <string>
#include <string_view>

#include "stages/report/run_comparison.h"
#include "stages/report/run_results.h"
#include "stages/report/survival.h"

namespace xkde::report {

/// One page that loads nothing: what ran, tables with intervals, curves over the size of the
/// memory, heat maps over languages, training curves. Several runs stand in the same tables and
/// charts, a run's name before its labels. One run's page lies in its folder and links
/// report/<stage>.html (edits_page.h), of a run that is not finished those that are there. While a
/// run goes on, its page says when it was written, and reads itself again. `survived`: what remains
/// of their edits.
std::string html_report(std::span<const RunResults> runs, std::span<const Survival> survived,
                        const RunComparison& comparison = {});
/// Whether a text is such a page.
bool is_html_report(std::string_view text);

}  // namespace xkde::report

#endif  // XKDE_STAGES_REPORT_HTML_REPORT_H_
