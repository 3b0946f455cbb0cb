#ifndef XKDE_CORE_BASE_STOP_SIGNALS_H_
#define XKDE_CORE_BASE_STOP_SIGNALS_H_

namespace xkde {

/// From now on SIGTERM, SIGHUP, SIGUSR1 and SIGINT ask this process to stop where it can go on
/// later, SIGUSR2 asks it to save and go on, and SIGPIPE does nothing: who writes sees the error. A
/// second SIGINT ends the process at once. A SIGHUP that the caller ignores (nohup) stays ignored.
/// To be called first, by main.
void install_stop_signals();

/// What this process says, once, when SIGTERM, SIGHUP or a first SIGINT asks it to stop: who sent
/// it may not wait until it ends (mpirun kills a second later), or a user wonders whether it was
/// heard. nullptr: nothing. Of SIGUSR1 scripts tell themselves. `line` stays as it is from now on.
void say_at_stop(const char* line) noexcept;

/// The signals do again what they do to a process that knows nothing of them, but for SIGPIPE. One
/// that came in between is raised again. For commands that keep nothing.
void restore_stop_signals();

/// Whether this process was asked to stop.
bool stop_requested() noexcept;

/// Throws StopRequested where stop_requested(). For the loops of long work that one rank does
/// alone. Other ranks may not have been asked: the caller tells them (dist::agree).
void check_stop();

/// Whether this process was asked to save since the last call.
bool take_save_request() noexcept;

}  // namespace xkde

#endif  // XKDE_CORE_BASE_STOP_SIGNALS_H_
