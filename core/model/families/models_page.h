#ifndef XKDE_CORE_MODEL_FAMILIES_MODELS_PAGE_H_
#define XKDE_CORE_MODEL_FAMILIES_MODELS_PAGE_H_

#include <string>

namespace xkde {

/// docs/models.md: what each of families() can do and cannot do yet, from their table alone.
std::string models_page();

}  // namespace xkde

#endif  // XKDE_CORE_MODEL_FAMILIES_MODELS_PAGE_H_
