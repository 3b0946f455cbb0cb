#ifndef XKDE_CORE_EDITING_LOOKUP_SIDE_MEMORY_H_
#define XKDE_CORE_EDITING_LOOKUP_SIDE_MEMORY_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "core/editing/editable_model.h"
#include "core/model/edit_lookup.h"

namespace xkde {

/// Of each sequence, fp32 [S]: the mean over its prompt's rows of ‖a(u) − a(v)‖, where u and v
/// [T, D] are what down_proj gives by two matrices and a is the activation of the model's MLPs.
at::Tensor prompt_distances(const Decoder& decoder, const at::Tensor& u, const at::Tensor& v,
                            const LookupRows& rows);

/// WISE's side memory (arXiv:2405.14768): other matrices for one block's down_proj. A sequence is
/// answered with the matrix whose prompt_distances() to the model's own is largest, of those where
/// it is above the matrix's threshold; with the model's own where there is none.
class SideMemory final : public EditLookup {
 public:
  /// A matrix, and how far the least of its edits lies from the model's own.
  struct Shard {
    at::Tensor weight;   ///< fp32 [D, F]
    double least = 1e9;  ///< 1e9: it has no edits
  };
  /// `model` outlives it; `base`: its own matrix, fp32. Thresholds are `ratio` times `least`.
  SideMemory(const EditableModel& model, int64_t layer, at::Tensor base, double ratio);

  const at::Tensor& base() const noexcept { return base_; }
  /// The matrix that edits are written into.
  Shard& open() noexcept { return open_; }
  const Shard& open() const noexcept { return open_; }
  /// The open matrix is one of the shards; the next edits go into a copy of the model's own.
  void close();
  /// The last `count` shards become one (merge_ties()), whose least edit is the least of theirs.
  void merge(int64_t count, double density);
  int64_t closed() const { return std::ssize(shards_); }
  /// To be called when the open matrix has changed and before prompts look it up.
  void refresh();

  std::map<std::string, at::Tensor> state() const;
  void restore(const std::map<std::string, at::Tensor>& state);

  int64_t layer() const override { return layer_; }
  at::Tensor prompts(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                     const LookupRows& rows, at::Tensor& found) const override;
  at::Tensor answers(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                     const at::Tensor& found) const override;

 private:
  /// A matrix as questions meet it.
  struct Asked {
    at::Tensor weight;  ///< in the compute dtype
    double threshold = 0.0;
  };

  const EditableModel& model_;
  int64_t layer_;
  at::Tensor base_;
  double ratio_;
  Shard open_;
  std::vector<Shard> shards_;
  std::vector<Asked> asked_;
};

}  // namespace xkde

#endif  // XKDE_CORE_EDITING_LOOKUP_SIDE_MEMORY_H_
