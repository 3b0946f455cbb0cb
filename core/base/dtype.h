#ifndef XKDE_CORE_BASE_DTYPE_H_
#define XKDE_CORE_BASE_DTYPE_H_

#include <cstdint>
#include <string_view>

#include "core/base/named.h"

namespace xkde {

/// The types of numbers that a user can ask for.
enum class Dtype { kFloat32, kBFloat16 };

/// What there is to say about one of them.
struct DtypeEntry {
  std::string_view name;  ///< in recipes, in config.json and on the command line
  Dtype value;
  int64_t bytes;                  ///< of one number
  std::string_view storage_name;  ///< in safetensors files
};
inline constexpr DtypeEntry kDtypes[] = {{"float32", Dtype::kFloat32, 4, "F32"},
                                         {"bfloat16", Dtype::kBFloat16, 2, "BF16"}};

}  // namespace xkde

#endif  // XKDE_CORE_BASE_DTYPE_H_
