#ifndef XKDE_CORE_EDITING_SUBJECT_KEYS_H_
#define XKDE_CORE_EDITING_SUBJECT_KEYS_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "core/editing/editable_model.h"
#include "core/editing/row_pass.h"

namespace xkde {

/// The rows of R requests at their subjects' last tokens, in C contexts, on their way up through
/// the blocks. Nothing behind a subject is computed. What stands in these rows follows the weights
/// as they are when the rows go through.
class SubjectRows {
 public:
  /// The most passes whose rows are kept on a member: others go their whole way each time, so that
  /// many requests take no more memory than some.
  static constexpr size_t kKeptPasses = 32;

  /// `model` outlives it. Of a team each member holds a part. `max_tokens`: rows of one pass.
  SubjectRows(const EditableModel& model, std::span<const EditRequest> requests,
              const std::vector<std::string>& contexts, int64_t max_tokens, Team& team);

  /// Brings all rows to the input of block `layer`.
  void advance_to(int64_t layer);
  /// What a mean over contexts is: of all alike, or of the first one and the mean of the others,
  /// each of which counts half (as MEMIT's authors have it).
  enum class Mean { kOfAll, kOfFirstAndOthers };

  /// The inputs of down_proj of the block that the rows are at: the mean over contexts, fp64
  /// [R, F]. Collective within the team.
  at::Tensor keys(Mean mean = Mean::kOfAll) const;
  /// What down_proj of that block gives: the mean over contexts, fp64 [R, D]. Collective within the
  /// team.
  at::Tensor mlp_outputs() const;
  /// What stands at the output of block `layer`, which is not below the rows': fp64 [R, D].
  /// Collective within the team.
  at::Tensor outputs(int64_t layer) const;

 private:
  /// The mean over contexts of what `at_labels` gives for a pass.
  template <typename AtLabels>
  at::Tensor means(int64_t width, const AtLabels& at_labels, Mean mean = Mean::kOfAll) const;
  double weight_of(int64_t context, Mean mean) const;

  const EditableModel& model_;
  Team& team_;
  int64_t requests_ = 0;
  int64_t contexts_ = 0;
  int64_t layer_ = 0;
  std::vector<RowPass> passes_;       ///< of this member
  std::vector<PackedBatch> batches_;  ///< of this member, whose rows are not kept
};

}  // namespace xkde

#endif  // XKDE_CORE_EDITING_SUBJECT_KEYS_H_
