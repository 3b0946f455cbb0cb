#include "stages/follow/step_profile.h"

#include <exception>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/base/host_name.h"
#include "core/base/log.h"
#include "core/io/atomic_file.h"
#include "core/io/file.h"
#include "core/io/file_reader.h"
#include "distributed/comm/typed_gather.h"

namespace xkde::recipe {
namespace {

namespace fs = std::filesystem;

/// What `work` could not do, in words; "" where it could.
template <typename Work>
std::string fault_of(const Work& work) {
  try {
    work();
    return "";
  } catch (const std::exception& error) {
    return error.what();
  }
}

fs::path part_of_trace(const fs::path& parts, int rank) {
  return parts / fmt::format("rank-{:05}.json", rank);
}

void join_parts(const fs::path& parts, int ranks, const fs::path& file) {
  std::string text = "{\"traceEvents\":[\n";
  for (int rank = 0; rank < ranks; ++rank) {
    if (rank > 0) text += ",\n";
    text += read_text(part_of_trace(parts, rank), FileOrigin::kOwn);
  }
  write_file_atomically(file, text + "\n],\"displayTimeUnit\":\"ms\"}\n");
}

}  // namespace

StepProfile::StepProfile(int64_t steps, fs::path file, dist::Communicator& comm,
                         std::function<void()> settle)
    : steps_(steps), file_(std::move(file)), comm_(comm), settle_(std::move(settle)) {}

void StepProfile::begin_step(int64_t step) {
  if (steps_ == 0) return;
  if (++seen_ == 2) {
    comm_.barrier();
    origin_ = trace_clock();  // clocks of hosts differ, but ranks leave a barrier together
    recorder_.emplace(settle_);
  }
  if (recorder_) recorder_->enter(TraceLane::kStep, fmt::format("step {}", step));
}

void StepProfile::end_step() {
  if (!recorder_) return;
  recorder_->leave();
  if (seen_ > steps_) write();
}

void StepProfile::finish() {
  if (recorder_) write();
  if (steps_ > 0 && seen_ == 1 && comm_.rank() == 0)
    log::warning(concat(file_.string(),
                        ": not written: no step is behind the first one, which "
                        "only warms up"));
}

void StepProfile::write() {
  const std::vector<TraceEvent> events = recorder_->events();
  recorder_.reset();
  steps_ = 0;
  const fs::path parts = file_.string() + ".parts";
  std::string fault = fault_of([&] {
    fs::create_directories(parts);
    write_file_atomically(
        part_of_trace(parts, comm_.rank()),
        trace_events_json(events, comm_.rank(),
                          fmt::format("rank {}, {}", comm_.rank(), host_name()), origin_));
  });
  for (const std::string& other : dist::gather(comm_, fault)) {
    if (fault.empty()) fault = other;
  }
  if (comm_.rank() != 0) return;
  if (fault.empty()) fault = fault_of([&] { join_parts(parts, comm_.size(), file_); });
  try_remove_tree(parts);
  if (fault.empty()) {
    log::info(concat("trace: ", file_.string()));
  } else {
    log::warning(concat(fault, "; the run goes on without its trace"));
  }
}

}  // namespace xkde::recipe
