#ifndef XKDE_CORE_EDITING_VALUE_VECTORS_H_
#define XKDE_CORE_EDITING_VALUE_VECTORS_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "core/editing/editable_model.h"
#include "core/editing/editor_options.h"
#include "core/editing/suffix_pass.h"

namespace xkde {

/// How value vectors are found (docs/decisions/0009-editors.md).
struct ValueOptions {
  int64_t layer = 0;
  VectorPlace place = VectorPlace::kBlockOutput;
  std::vector<std::string> contexts;  ///< templates; the bare one is first
  int64_t max_tokens = 1024;          ///< rows of one pass
  /// Vectors stand at the prompt's last token, not the subject's, which is not looked for.
  bool at_prompt_end = false;
  at::Tensor start = {};    ///< fp32 [R, D], what values begin as; undefined: as what stands there
  bool one_by_one = false;  ///< each request is a group of its own
  /// How many requests each group has, one group behind another; empty: as value_groups() says.
  std::vector<int64_t> groups = {};
};

/// What makes the model answer each of R requests, and how it was found.
struct ValueVectors {
  at::Tensor before;           ///< what stands there without edits, fp32 [R, D]
  at::Tensor values;           ///< fp32 [R, D]
  std::vector<int64_t> steps;  ///< losses that were looked at
  std::vector<double> losses;  ///< the last one
};

/// The vectors of all requests. Requests are optimised together, each with its own moments and its
/// own stop; what is computed together does not depend on the team. Collective within the team.
/// Throws NumericError, which names the record, where a loss is not finite.
ValueVectors value_vectors(const EditableModel& model, std::span<const EditRequest> requests,
                           const EditorSettings& settings, const ValueOptions& options, Team& team);

/// The most rows of a group where all requests have `total` rows: as many as fill a pass, on a CPU
/// fewer where that makes more groups.
int64_t most_group_rows(int64_t total, at::Device device, int64_t max_tokens);

/// How many requests each group has, one group behind another, where request i has rows[i] rows: as
/// many as have no more than `most` rows together, and at least one.
std::vector<int64_t> group_sizes(std::span<const int64_t> rows, int64_t most);

/// How many requests are computed together, one group behind another: as many as fill a pass, or
/// fewer, so that few requests keep more than one member busy. Depends on the requests and the
/// device alone.
/// Throws as request_tokens().
std::vector<int64_t> value_groups(const EditableModel& model, std::span<const EditRequest> requests,
                                  const EditorSettings& settings, const ValueOptions& options);

}  // namespace xkde

#endif  // XKDE_CORE_EDITING_VALUE_VECTORS_H_
