#include "core/evaluate/methods/methods.h"

#include "core/base/error.h"

namespace xkde {

std::span<const EditMethod* const> edit_methods() {
  static const std::vector<const EditMethod*> kMethods = [] {
    std::vector<const EditMethod*> methods{&xkde_method(), &none_method(), &lte_method(),
                                           &ike_method(), &remake_method()};
    const auto writing = weight_methods();
    methods.insert(methods.end(), writing.begin(), writing.end());
    return methods;
  }();
  return kMethods;
}

std::vector<std::string_view> edit_method_names() {
  std::vector<std::string_view> names;
  for (const EditMethod* method : edit_methods()) names.push_back(method->name());
  return names;
}

const EditMethod& edit_method(std::string_view name) {
  for (const EditMethod* method : edit_methods()) {
    if (method->name() == name) return *method;
  }
  throw InternalError(concat("edit method: not in the table: ", name));
}

}  // namespace xkde
