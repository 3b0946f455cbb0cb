#ifndef XKDE_DISTRIBUTED_JOB_HEARTBEAT_H_
#define XKDE_DISTRIBUTED_JOB_HEARTBEAT_H_

#include <functional>
#include <memory>
#include <string>

#include "distributed/job/rank_tree.h"

namespace xkde::dist {

struct HeartbeatOptions {
  /// A host that gives no sign of life for as long is lost, and so the run. Seconds.
  double timeout_s = 9;
  /// How long the launcher has to end the ranks after one of them ended. Seconds.
  double grace_s = 5;
  /// What this rank is at, for messages. Called from the heartbeat's thread.
  std::function<std::string()> place = [] { return std::string(); };
  /// The run is lost, and this rank speaks for all whom it reaches: one line.
  std::function<void(const std::string& reason)> on_lost = [](const std::string&) {};
  /// Ends the process of a lost run, when all others are told. The heartbeat's thread ends after
  /// it.
  std::function<void()> end = [] {};
  /// A rank is stopped but not lost, or goes on: one line.
  std::function<void(const std::string& line)> on_warning = [](const std::string&) {};
  Host host = Host::own();  ///< of this rank
};

/// Watches over the other ranks from a thread of its own, without MPI: so it finds a lost host
/// while collectives wait for it, and also when the launcher hangs. Ranks tell each other each
/// second where they are.
///
/// A host whose system has not answered for timeout_s, as behind a cut link, is lost. A process
/// that ended without saying so is lost after grace_s, in which the launcher usually ends the
/// others. A process that is stopped (SIGSTOP, a debugger) on a host that answers is only warned
/// of: the time-out of its collective decides. Whoever finds a loss tells all whom it reaches.
class Heartbeat {
 public:
  /// Every rank calls it, two at least. Where the ranks cannot reach each other it does nothing,
  /// and problem() says why.
  Heartbeat(int rank, const Exchange& exchange, HeartbeatOptions options);
  /// Tells the others that this rank ends as it should. To be called when no collective follows.
  ~Heartbeat();
  Heartbeat(const Heartbeat&) = delete;
  Heartbeat& operator=(const Heartbeat&) = delete;

  /// Tells the others that this rank ends with an error, and watches no more. They wait grace_s for
  /// the launcher.
  void fail() noexcept;
  /// Empty where it watches. Equal on all ranks.
  const std::string& problem() const noexcept { return problem_; }

 private:
  class Watch;

  std::string problem_;
  std::unique_ptr<Watch> watch_;
};

}  // namespace xkde::dist

#endif  // XKDE_DISTRIBUTED_JOB_HEARTBEAT_H_
