#ifndef XKDE_CORE_EDITING_MOMENTS_SECOND_MOMENT_H_
#define XKDE_CORE_EDITING_MOMENTS_SECOND_MOMENT_H_

#include <compare>
#include <cstdint>
#include <map>
#include <span>
#include <string_view>
#include <vector>

#include <ATen/core/Tensor.h>

#include "core/editing/editable_model.h"
#include "core/editing/moments/observed_module.h"
#include "core/model/block_products.h"

namespace xkde {

/// What the weights of one role in one block are multiplied with.
struct ObservedInput {
  int64_t layer = 0;
  TensorRole role = TensorRole::kDown;  ///< one of kObservedModules

  std::string_view module() const { return name_of(kObservedModules, role); }
  auto operator<=>(const ObservedInput&) const = default;
};

/// All of `modules` in all of `layers`, in order. Throws ConfigError, which begins with `place`,
/// where the model has no such layer.
std::vector<ObservedInput> observed_inputs(const Decoder& decoder, std::span<const int64_t> layers,
                                           std::span<const TensorRole> modules,
                                           const std::string& place);
/// Columns of the weights.
int64_t width_of(const Decoder& decoder, const ObservedInput& input);

/// Sums of k kᵀ over rows k of some inputs, while the rows go through blocks.
class SecondMomentSums final : public BlockProducts {
 public:
  /// Zeros on `device`.
  SecondMomentSums(const Decoder& decoder, std::span<const ObservedInput> inputs,
                   at::Device device);

  /// Sends all rows of `batch` through the blocks up to the last one that is observed.
  void add(const EditableModel& model, const PackedBatch& batch);
  /// What was added to an input so far: fp64 [I, I]. Only what stands on and above the diagonal
  /// counts: see whole_of(). The caller may add to it, and set it to zero.
  const at::Tensor& upper(const ObservedInput& input) const { return sums_.at(input); }

  /// Counts the rows of a block's products. Called by the block.
  at::Tensor product(TensorRole role, const at::Tensor& x, const at::Tensor& weight,
                     const at::Tensor& bias) const override;

 private:
  std::map<ObservedInput, at::Tensor> sums_;
  int64_t last_layer_ = -1;
  int64_t layer_ = 0;  ///< whose products come
};

/// The symmetric matrix [I, I] of which `upper` holds what stands on and above the diagonal.
at::Tensor whole_of(const at::Tensor& upper);

}  // namespace xkde

#endif  // XKDE_CORE_EDITING_MOMENTS_SECOND_MOMENT_H_
