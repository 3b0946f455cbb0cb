#include "core/editing/moments/second_moment.h"

#include <algorithm>
#include <string>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "core/base/error.h"
#include "core/nn/products.h"

namespace xkde {
namespace {

/// A product of n rows in fp32 is off by some √n 2⁻²⁴ of its size: 2e-6 for these. Chunks add up in
/// fp64, so that this does not grow with the text, and it is far below what a text of any length
/// leaves open. bf16 rows are exact in fp32.
constexpr int64_t kRowsAtOnce = 1024;
/// Rows of the sum that are computed at once, from the diagonal on. The smaller they are, the less
/// is computed below the diagonal; products of fewer rows would be slow.
constexpr int64_t kSumRowsAtOnce = 512;

/// Adds rows' rows, on and above the diagonal.
void add_upper(const at::Tensor& rows, const at::Tensor& sum) {
  const int64_t width = sum.size(0);
  for (int64_t first = 0; first < rows.size(0); first += kRowsAtOnce) {
    const int64_t count = std::min(kRowsAtOnce, rows.size(0) - first);
    const at::Tensor chunk = rows.narrow(0, first, count).to(at::kFloat);
    for (int64_t row = 0; row < width; row += kSumRowsAtOnce) {
      const int64_t height = std::min(kSumRowsAtOnce, width - row);
      const at::Tensor product =
          at::mm(chunk.narrow(1, row, height).t(), chunk.narrow(1, row, width - row));
      sum.narrow(0, row, height).narrow(1, row, width - row).add_(product);
    }
  }
}

}  // namespace

std::vector<ObservedInput> observed_inputs(const Decoder& decoder, std::span<const int64_t> layers,
                                           std::span<const TensorRole> modules,
                                           const std::string& place) {
  std::vector<ObservedInput> inputs;
  for (const int64_t layer : layers) {
    XKDE_CHECK(layer >= 0 && layer < decoder.num_blocks(), ConfigError, place,
               ": expected layers below ", decoder.num_blocks(), ", the model's number, found ",
               layer);
    for (const TensorRole role : modules) inputs.push_back({layer, role});
  }
  std::ranges::sort(inputs);
  return inputs;
}

int64_t width_of(const Decoder& decoder, const ObservedInput& input) {
  const std::vector<UnitTensor>& tensors =
      decoder.units().at(static_cast<size_t>(input.layer) + 1).tensors;
  const auto found = std::ranges::find(tensors, input.role, &UnitTensor::role);
  XKDE_CHECK(found != tensors.end(), InternalError, "second moments: expected a block with ",
             input.module(), ", found none");
  return found->shape.back();
}

SecondMomentSums::SecondMomentSums(const Decoder& decoder, std::span<const ObservedInput> inputs,
                                   at::Device device) {
  for (const ObservedInput& input : inputs) {
    const int64_t width = width_of(decoder, input);
    sums_[input] = at::zeros({width, width}, at::TensorOptions(device).dtype(at::kDouble));
    last_layer_ = std::max(last_layer_, input.layer);
  }
}

void SecondMomentSums::add(const EditableModel& model, const PackedBatch& batch) {
  const c10::AutoGradMode without_graph(false);
  const BlockContext context = model.decoder.context(batch, model.dtype);
  at::Tensor rows = model.decoder.embed(batch.input_ids, model.weights(0));
  for (layer_ = 0; layer_ <= last_layer_; ++layer_) {
    const auto weights = model.weights(static_cast<size_t>(layer_) + 1);
    rows = model.decoder.block(weights, rows, context.of(layer_), this);
  }
}

at::Tensor SecondMomentSums::product(TensorRole role, const at::Tensor& x, const at::Tensor& weight,
                                     const at::Tensor& bias) const {
  const auto sum = sums_.find({layer_, role});
  if (sum != sums_.end()) add_upper(x, sum->second);
  return plain_product(x, weight, bias);
}

at::Tensor whole_of(const at::Tensor& upper) { return upper.triu() + upper.triu(1).t(); }

}  // namespace xkde
