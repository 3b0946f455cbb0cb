#ifndef XKDE_CORE_MODEL_FAMILIES_LORA_OPTIONS_H_
#define XKDE_CORE_MODEL_FAMILIES_LORA_OPTIONS_H_

#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/model/families/frozen_form.h"

namespace xkde {

/// The one target that stands for every linear layer of the blocks, as in PEFT.
inline constexpr std::string_view kAllLinear = "all-linear";

/// What a low-rank adapter is, under PEFT's names. Source: arXiv:2106.09685.
struct LoraOptions {
  int64_t r = 16;
  double alpha = 32.0;
  double dropout = 0.0;
  std::vector<std::string> target_modules{std::string(kAllLinear)};  ///< "q_proj", …
  bool rslora = false;                   ///< divides by sqrt(r) (arXiv:2312.03732)
  FrozenForm base = FrozenForm::kDtype;  ///< ours: of the weights below; no part of the adapter

  double scale() const {
    const auto rank = static_cast<double>(r);
    return alpha / (rslora ? std::sqrt(rank) : rank);
  }
};

}  // namespace xkde

#endif  // XKDE_CORE_MODEL_FAMILIES_LORA_OPTIONS_H_
