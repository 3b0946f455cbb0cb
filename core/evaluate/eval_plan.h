#ifndef XKDE_CORE_EVALUATE_EVAL_PLAN_H_
#define XKDE_CORE_EVALUATE_EVAL_PLAN_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace xkde {

/// How many edits are held at once (protocol 7.1). Single: the true fact is given directly. Batch:
/// chunks of n, each with a memory of its own. Sequential: a stream of the first n.
enum class EditMode { kSingle, kBatch, kSequential };
EditMode edit_mode_from_name(std::string_view name);

/// When a stream's edits are asked: after the whole stream; each right after it came (and once, for
/// every size alike); after each size, on the edits so far. The last and the first differ in what
/// they tell, not in any number: a memory knows no order.
enum class EvalWhen { kEnd, kImmediate, kAtSizes };
EvalWhen eval_when_from_name(std::string_view name);

/// One edit asked at one moment, with the edits [memory_begin, memory_end) of its stream in memory.
struct EditMoment {
  size_t size = 0;    ///< index in the sizes
  size_t stream = 0;  ///< index in the streams
  int64_t edit = 0;   ///< index in the stream
  int64_t memory_begin = 0;
  int64_t memory_end = 0;
};

/// What is asked when, by size, stream and edit; `edits_of_stream` says how many each has. Throws
/// DataError when a batch or stream is to be larger than the smallest of them.
std::vector<EditMoment> edit_moments(EditMode mode, std::span<const int64_t> sizes,
                                     EvalWhen eval_when, std::span<const int64_t> edits_of_stream);

}  // namespace xkde

#endif  // XKDE_CORE_EVALUATE_EVAL_PLAN_H_
