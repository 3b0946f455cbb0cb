#ifndef XKDE_STAGES_FOLLOW_STEP_PROFILE_H_
#define XKDE_STAGES_FOLLOW_STEP_PROFILE_H_

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>

#include "core/trace/trace_spans.h"
#include "distributed/comm/communicator.h"

namespace xkde::recipe {

/// Traces the spans of some steps of a training on all ranks, and writes them to one file: those
/// behind the first step of this start, which warms up. The file is there whole or not at all; each
/// rank puts its part beside it first. A trace that cannot be written is a warning. All functions
/// but the constructor are collective, and called by all ranks at the same steps.
class StepProfile {
 public:
  /// `steps`: 0 for none. `settle`: as of TraceRecorder. `comm` outlives it.
  StepProfile(int64_t steps, std::filesystem::path file, dist::Communicator& comm,
              std::function<void()> settle = nullptr);

  /// Around each step, with the number of its first call.
  void begin_step(int64_t step);
  void end_step();
  /// Behind the last step: writes what was traced, unless that is written.
  void finish();

 private:
  void write();

  int64_t steps_;
  std::filesystem::path file_;
  dist::Communicator& comm_;
  std::function<void()> settle_;
  int64_t seen_ = 0;    ///< steps begun
  int64_t origin_ = 0;  ///< when all ranks had come to the first traced step
  std::optional<TraceRecorder> recorder_;
};

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_FOLLOW_STEP_PROFILE_H_
