#ifndef XKDE_CORE_EVALUATE_EVAL_PLAN_H_
#define XKDE_CORE_EVALUATE_EVAL_PLAN_H_

#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/base/named.h"

namespace xkde {

/// How many edits are held at once (protocol 7.1). Single: the true fact is given directly. Batch:
/// chunks of n, each with a memory of its own. Sequential: a stream of the first n.
enum class EditMode { kSingle, kBatch, kSequential };
inline constexpr Named<EditMode> kEditModeNames[] = {{"single", EditMode::kSingle},
                                                     {"batch", EditMode::kBatch},
                                                     {"sequential", EditMode::kSequential}};

/// When the questions about a stream's edits are asked: after the whole stream; about each edit
/// right after it came (the answers are the same for every size); after each size, about the edits
/// so far. kEnd and kAtSizes give equal numbers, because retrieval ignores the order in which edits
/// came; only the layout of the output differs.
enum class EvalWhen { kEnd, kImmediate, kAtSizes };
inline constexpr Named<EvalWhen> kEvalWhenNames[] = {
    {"end", EvalWhen::kEnd}, {"immediate", EvalWhen::kImmediate}, {"at_sizes", EvalWhen::kAtSizes}};

/// A point at which the questions about one edit are asked: the edits [memory_begin, memory_end) of
/// its stream are in the memory then.
struct EditMoment {
  size_t size = 0;    ///< index in the sizes
  size_t stream = 0;  ///< index in the streams
  int64_t edit = 0;   ///< index in the stream
  int64_t memory_begin = 0;
  int64_t memory_end = 0;
  /// Asked right after the edit came, to be laid beside the moment before this one in the list.
  bool is_at_once = false;

  /// How many edits ago the edit came, itself counted: 1 right after it.
  int64_t age() const { return memory_end - edit; }
};

/// What is asked when, by size, stream and edit; `edits_of_stream` says how many each has.
/// `by_age`: each moment of a stream is followed by one that is_at_once. Throws DataError when a
/// batch or stream is to be larger than the smallest of them.
std::vector<EditMoment> edit_moments(EditMode mode, std::span<const int64_t> sizes,
                                     EvalWhen eval_when, std::span<const int64_t> edits_of_stream,
                                     bool by_age = false);

/// Ages that are counted together: 1, 2-5, 6-10, 11-50, 51-100, 101-500 and so on.
struct AgeBin {
  int64_t first = 1;
  int64_t last = 1;

  std::string name() const;  ///< "1", "2-5"
  auto operator<=>(const AgeBin&) const = default;
};
AgeBin age_bin(int64_t age);  ///< of an age of at least 1

}  // namespace xkde

#endif  // XKDE_CORE_EVALUATE_EVAL_PLAN_H_
