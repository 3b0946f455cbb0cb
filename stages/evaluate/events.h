#ifndef XKDE_STAGES_EVALUATE_EVENTS_H_
#define XKDE_STAGES_EVALUATE_EVENTS_H_

#include <filesystem>
#include <span>

#include "core/evaluate/results/result_rows.h"
#include "core/io/json_file.h"

namespace xkde::recipe {

/// Writes an event file for TensorBoard into `folder`: of each row that has a value and is of no
/// single seed a figure "METRIC/EDIT-TEST", at the step of its size; and the questions of
/// `predictions` (lines of predictions.jsonl) with what was answered, as a text. Throws IoError.
void write_eval_events(std::span<const ResultRow> rows, std::span<const Json> predictions,
                       const std::filesystem::path& folder);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_EVALUATE_EVENTS_H_
