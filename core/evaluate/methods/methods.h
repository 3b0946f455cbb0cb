#ifndef XKDE_CORE_EVALUATE_METHODS_METHODS_H_
#define XKDE_CORE_EVALUATE_METHODS_METHODS_H_

#include <span>
#include <string_view>
#include <vector>

#include "core/evaluate/methods/edit_method.h"

namespace xkde {

const EditMethod& xkde_method();    ///< X-KDE (protocol 2.1)
const EditMethod& none_method();    ///< the bare question
const EditMethod& lte_method();     ///< LTE (protocol 2.2)
const EditMethod& ike_method();     ///< IKE; without demonstrations ICE (protocol 2.3)
const EditMethod& remake_method();  ///< ReMaKE (protocol 2.4)
/// Those that write edits into weights, in the order of kEditors.
std::span<const EditMethod* const> weight_methods();

/// Every method, in the order in which messages list them.
std::span<const EditMethod* const> edit_methods();
std::vector<std::string_view> edit_method_names();
/// Throws InternalError for a name that the table lacks.
const EditMethod& edit_method(std::string_view name);

}  // namespace xkde

#endif  // XKDE_CORE_EVALUATE_METHODS_METHODS_H_
