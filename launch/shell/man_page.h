#ifndef XKDE_LAUNCH_SHELL_MAN_PAGE_H_
#define XKDE_LAUNCH_SHELL_MAN_PAGE_H_

#include <string>

#include "launch/shell/program_facts.h"

namespace xkde {

/// The manual page in section 1, in roff's man macros.
std::string man_page(const ProgramFacts& program);

}  // namespace xkde

#endif  // XKDE_LAUNCH_SHELL_MAN_PAGE_H_
