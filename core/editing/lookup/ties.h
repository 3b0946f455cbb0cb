#ifndef XKDE_CORE_EDITING_LOOKUP_TIES_H_
#define XKDE_CORE_EDITING_LOOKUP_TIES_H_

#include <vector>

#include <ATen/core/Tensor.h>

namespace xkde {

/// One matrix of several that grew from `base`, by TIES (arXiv:2306.01708): of each difference the
/// `density` (0, 1] with the largest magnitudes counts; where the differences' sum is negative,
/// those below 0, else the others; their mean is added to `base`. All fp32 and of one shape.
at::Tensor merge_ties(const at::Tensor& base, const std::vector<at::Tensor>& grown, double density);

}  // namespace xkde

#endif  // XKDE_CORE_EDITING_LOOKUP_TIES_H_
