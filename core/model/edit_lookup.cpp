#include "core/model/edit_lookup.h"

#include <utility>
#include <vector>

#include <ATen/ATen.h>

#include "core/base/error.h"
#include "core/nn/device_copy.h"
#include "core/nn/products.h"

namespace xkde {
LookupRows lookup_rows(const PackedBatch& batch, std::span<const int64_t> prompt_lengths) {
  std::vector<int64_t> sequences;  // in the order of their rows
  for (const int64_t sequence : batch.label_sequence) {
    if (sequences.empty() || sequences.back() != sequence) sequences.push_back(sequence);
  }
  XKDE_CHECK(sequences.size() == batch.segments.size(), InternalError,
             "lookup: expected sequences with rows of their own, found ", batch.segments.size(),
             " trees of ", sequences.size());
  std::vector<int64_t> owner, is_prompt, ends;
  for (size_t i = 0; i < sequences.size(); ++i) {
    const int64_t prompt = prompt_lengths[static_cast<size_t>(sequences[i])];
    ends.push_back(std::ssize(owner) + prompt - 1);
    for (int64_t row = 0; row < batch.segments[i].length; ++row) {
      owner.push_back(static_cast<int64_t>(i));
      is_prompt.push_back(row < prompt ? 1 : 0);
    }
  }
  const at::Device device = batch.input_ids.device();
  return {to_device(owner, device), to_device(is_prompt, device).to(at::kBool),
          to_device(ends, device)};
}

PromptProducts::PromptProducts(const EditLookup& lookup, LookupRows rows)
    : lookup_(lookup), rows_(std::move(rows)) {}

at::Tensor PromptProducts::product(TensorRole role, const at::Tensor& x, const at::Tensor& weight,
                                   const at::Tensor& bias) const {
  return role == TensorRole::kDown ? lookup_.prompts(x, weight, bias, rows_, found_)
                                   : plain_product(x, weight, bias);
}

AnswerProducts::AnswerProducts(const EditLookup& lookup, at::Tensor found)
    : lookup_(lookup), found_(std::move(found)) {}

at::Tensor AnswerProducts::product(TensorRole role, const at::Tensor& x, const at::Tensor& weight,
                                   const at::Tensor& bias) const {
  return role == TensorRole::kDown ? lookup_.answers(x, weight, bias, found_)
                                   : plain_product(x, weight, bias);
}

}  // namespace xkde
