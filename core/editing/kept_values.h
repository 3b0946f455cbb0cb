#ifndef XKDE_CORE_EDITING_KEPT_VALUES_H_
#define XKDE_CORE_EDITING_KEPT_VALUES_H_

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "core/editing/editable_model.h"
#include "core/editing/editor_options.h"
#include "core/editing/value_vectors.h"

namespace xkde {

/// Value vectors of the model without edits, found once for all batches that begin from it. They
/// are found in the order of the requests and in groups that depend on nothing else, so that a
/// vector is the same whatever is written together later.
class KeptValues {
 public:
  /// Of requests that why_unwritable() has passed. Computes nothing yet.
  explicit KeptValues(std::vector<EditRequest> requests);

  int64_t found() const noexcept { return found_; }  ///< the first requests
  int64_t size() const noexcept { return std::ssize(requests_); }

  /// Finds the vectors of the next requests, a group of them for each member. The weights are those
  /// without edits. Collective within the team. Throws as value_vectors(), and has what it had.
  void find_next(const EditableModel& model, const EditorSettings& settings,
                 const ValueOptions& options, Team& team);
  /// The vectors of `requests`; nothing where one has not been found.
  std::optional<ValueVectors> of(std::span<const EditRequest> requests) const;

  /// What has been found: fp64 tensors, a row for each request.
  std::map<std::string, at::Tensor> tensors() const;
  /// Goes on from what tensors() gave, on `device`. Throws DataError where the rows are not those
  /// of some first requests.
  void restore(const std::map<std::string, at::Tensor>& tensors, at::Device device);

 private:
  /// Of the next groups, one for each of `members`. A group of which some are there goes on behind
  /// them.
  std::vector<int64_t> next_groups(int members) const;
  void keep(ValueVectors found);

  std::vector<EditRequest> requests_;
  std::vector<int64_t> groups_;            ///< of all requests; empty: not known yet
  std::map<std::string, int64_t> places_;  ///< of requests, by all that they say
  int64_t found_ = 0;
  ValueVectors values_;
};

}  // namespace xkde

#endif  // XKDE_CORE_EDITING_KEPT_VALUES_H_
