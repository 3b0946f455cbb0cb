#ifndef XKDE_CORE_CAPABILITY_CAPABILITY_RESULTS_H_
#define XKDE_CORE_CAPABILITY_CAPABILITY_RESULTS_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/capability/capability_items.h"
#include "core/evaluate/edit_metrics.h"
#include "core/io/json_file.h"

namespace xkde {

/// The log-likelihood of each sequence of an item, in nats.
using LogLikelihoods = std::vector<double>;

/// The choice that each way of counting takes; of equal ones the first (protocol 6.9).
struct ChosenChoices {
  size_t raw = 0;    ///< by log-likelihood
  size_t norm = 0;   ///< by log-likelihood a character
  size_t bytes = 0;  ///< by log-likelihood a byte of UTF-8
};
ChosenChoices chosen_choices(const ChoiceRow& row, const LogLikelihoods& log_likelihoods);

/// What a capability stage leaves.
struct CapabilityResults {
  std::vector<ResultRow> rows;    ///< by file and language
  std::vector<Json> predictions;  ///< by document and row
  Json statistics;
};

/// Counts. `log_likelihoods` are those of the items, in their order; `phase` is that of the rows;
/// `seed` draws the intervals. Sums are fp64, in the order of the items. Throws NumericError where
/// a perplexity is too large to be a number.
CapabilityResults capability_results(const CapabilityOptions& options,
                                     const CapabilityInputs& inputs,
                                     std::span<const CapabilityItem> items,
                                     std::span<const LogLikelihoods> log_likelihoods,
                                     const std::string& phase, uint64_t seed);

}  // namespace xkde

#endif  // XKDE_CORE_CAPABILITY_CAPABILITY_RESULTS_H_
