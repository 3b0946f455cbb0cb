#include "core/evaluate/eval_plan.h"

#include <algorithm>

#include "core/base/error.h"

namespace xkde {

EditMode edit_mode_from_name(std::string_view name) {
  if (name == "single") return EditMode::kSingle;
  if (name == "batch") return EditMode::kBatch;
  XKDE_CHECK(name == "sequential", ConfigError,
             "mode: expected single, batch or sequential, found \"", name, "\"");
  return EditMode::kSequential;
}

EvalWhen eval_when_from_name(std::string_view name) {
  if (name == "end") return EvalWhen::kEnd;
  if (name == "immediate") return EvalWhen::kImmediate;
  XKDE_CHECK(name == "at_sizes", ConfigError,
             "eval_when: expected end, immediate or at_sizes, found \"", name, "\"");
  return EvalWhen::kAtSizes;
}

std::vector<EditMoment> edit_moments(EditMode mode, std::span<const int64_t> sizes,
                                     EvalWhen eval_when, std::span<const int64_t> edits_of_stream) {
  std::vector<EditMoment> moments;
  for (size_t size = 0; size < sizes.size(); ++size) {
    const int64_t n = sizes[size];
    for (size_t stream = 0; stream < edits_of_stream.size(); ++stream) {
      const int64_t all = edits_of_stream[stream];
      XKDE_CHECK(mode == EditMode::kSingle || n <= all, DataError, "sizes: expected at most ", all,
                 " (the records at hand), found ", n);
      const int64_t asked = mode == EditMode::kSequential ? n : all;
      for (int64_t edit = 0; edit < asked; ++edit) {
        EditMoment moment{size, stream, edit, edit, edit + 1};
        if (mode == EditMode::kBatch) {
          moment.memory_begin = edit / n * n;
          moment.memory_end = std::min(all, moment.memory_begin + n);
        } else if (mode == EditMode::kSequential) {
          moment.memory_begin = 0;
          moment.memory_end = eval_when == EvalWhen::kImmediate ? edit + 1 : n;
        }
        moments.push_back(moment);
      }
    }
  }
  return moments;
}

}  // namespace xkde
