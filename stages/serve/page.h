#ifndef XKDE_STAGES_SERVE_PAGE_H_
#define XKDE_STAGES_SERVE_PAGE_H_

#include <string_view>

namespace xkde::serve {

/// The page page.html: it holds all that it needs, and asks this server alone.
std::string_view page_text();

}  // namespace xkde::serve

#endif  // XKDE_STAGES_SERVE_PAGE_H_
