#ifndef XKDE_CORE_OPTIM_ADAMW_UPDATE_H_
#define XKDE_CORE_OPTIM_ADAMW_UPDATE_H_

#include <cstdint>

#include "core/optim/optimizer.h"

namespace xkde {

/// The numbers of one update of AdamW, as its loop takes them.
struct AdamWConstants {
  float beta1, beta2, epsilon, step_size, inverse_correction2_sqrt, keep, gradient_scale;
};

/// Of update number `step`, from 1.
AdamWConstants adamw_constants(const AdamWOptions& options, int64_t step, double learning_rate,
                               bool decays, float gradient_scale);

/// Updates `numel` elements on the CPU. The ranges do not overlap.
void adamw_update(float* master, float* exp_avg, float* exp_avg_sq, const float* gradient,
                  int64_t numel, const AdamWConstants& constants);

}  // namespace xkde

#endif  // XKDE_CORE_OPTIM_ADAMW_UPDATE_H_
