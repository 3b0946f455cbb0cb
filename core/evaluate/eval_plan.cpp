#include "core/evaluate/eval_plan.h"

#include <algorithm>

#include "core/base/error.h"

namespace xkde {

std::vector<EditMoment> edit_moments(EditMode mode, std::span<const int64_t> sizes,
                                     EvalWhen eval_when, std::span<const int64_t> edits_of_stream,
                                     bool by_age) {
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
        if (!by_age) continue;
        moment.memory_end = edit + 1;
        moment.is_at_once = true;
        moments.push_back(moment);
      }
    }
  }
  return moments;
}

std::string AgeBin::name() const {
  return first == last ? std::to_string(first) : concat(first, "-", last);
}

AgeBin age_bin(int64_t age) {
  AgeBin bin;
  for (int64_t factor = 5; age > bin.last; factor = factor == 5 ? 2 : 5)
    bin = {bin.last + 1, bin.last * factor};
  return bin;
}

}  // namespace xkde
