#ifndef XKDE_STAGES_REPORT_PAGE_PAGE_STYLE_H_
#define XKDE_STAGES_REPORT_PAGE_PAGE_STYLE_H_

#include <string>
#include <string_view>

namespace xkde::report {

/// The beginning of every page, up to </head>: its title, and the colours and styles that all pages
/// share, for light and dark screens and for paper. `more` is markup of this page's own head.
std::string page_head(const std::string& title, std::string_view more = {});
/// Whether a text begins so.
bool has_page_head(std::string_view text);

}  // namespace xkde::report

#endif  // XKDE_STAGES_REPORT_PAGE_PAGE_STYLE_H_
