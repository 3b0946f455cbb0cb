#include "distributed/job/heartbeat.h"

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <exception>
#include <map>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/stopwatch.h"

namespace xkde::dist {
namespace {

constexpr double kMeetSeconds = 30;  // hosts may be busy when a run starts
constexpr double kBeatSeconds = 1;
constexpr int kTickMs = 250;
constexpr double kFinishSeconds = 0.5;  // for the others to read that the run is lost
constexpr double kDoneSeconds = 0.1;

// First letters of lines. What follows a rank is text.
constexpr char kAt = 'a';    // "a 3 all_reduce #12": rank 3 is there
constexpr char kFail = 'f';  // "f 3": rank 3 ends with an error
constexpr char kLost = 'l';  // the run is lost
constexpr char kDone = 'd';  // the sender ends as it should

std::string names_of(const std::vector<int>& ranks) {
  return fmt::format("rank{} {}", ranks.size() == 1 ? "" : "s", fmt::join(ranks, ", "));
}

}  // namespace

/// The thread and all that it alone looks at.
class Heartbeat::Watch {
 public:
  Watch(int rank, RankTree tree, HeartbeatOptions options)
      : rank_(rank),
        is_second_(tree.is_second),
        options_(std::move(options)),
        wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    for (Peer& peer : tree.peers) {
      Watched& watched = peers_.emplace_back();
      watched.peer = std::move(peer);
    }
    // Signals are for the threads that look out for them.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    thread_ = std::thread([this] { run(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }
  ~Watch() { end(kDone); }

  void end(char last_word) noexcept {
    if (!thread_.joinable()) return;
    const uint64_t word = static_cast<unsigned char>(last_word);
    [[maybe_unused]] const auto written = write(wake_, &word, sizeof(word));
    thread_.join();
    close(wake_);
  }

 private:
  struct Watched {
    Peer peer;
    double heard = 0;            ///< when its last line came
    std::optional<double> gone;  ///< since when its process is gone, without a word before
    bool left = false;           ///< with a word
    bool is_warned = false;
  };

  void run() noexcept;
  /// Waits for something to happen. Returns the last word when the rank ends.
  char wait();
  void read(Watched& from);
  void take(Watched& from, const std::string& line);
  void beat();
  void judge();
  void judge_process(Watched& watched);
  std::string where(int rank) const;
  std::string where_all(const std::vector<int>& ranks) const;
  bool speaks_as_orphan() const;
  void tell(char kind, const std::string& text, const Watched* but);
  void lose(const std::string& reason, bool speaks, const Watched* but);
  void finish(double patience_s);

  int rank_;
  bool is_second_;
  HeartbeatOptions options_;
  int wake_;
  Stopwatch clock_;
  std::vector<Watched> peers_;
  std::map<int, std::string> places_;
  double next_beat_ = 0;
  std::optional<double> failing_;  ///< since when a rank ends with an error
  std::string failing_rank_;
  bool is_over_ = false;
  std::thread thread_;  // last: it uses the rest
};

void Heartbeat::Watch::run() noexcept {
  try {
    while (!is_over_) {
      const char last_word = wait();
      if (last_word != 0) {
        tell(last_word, last_word == kFail ? std::to_string(rank_) : "", nullptr);
        return finish(last_word == kDone ? kDoneSeconds : kFinishSeconds);
      }
      for (Watched& watched : peers_) read(watched);
      if (clock_.seconds() >= next_beat_) beat();
      if (!is_over_) judge();
    }
  } catch (const std::exception& error) {
    options_.on_warning(concat("heartbeat: ends, because ", error.what()));
  }
}

char Heartbeat::Watch::wait() {
  std::vector<pollfd> descriptors{{.fd = wake_, .events = POLLIN, .revents = 0}};
  for (const Watched& watched : peers_) {
    // A closed one would be ready at once, for ever.
    const bool is_open = watched.peer.link->state() == Link::State::kOpen;
    descriptors.push_back(
        {.fd = is_open ? watched.peer.link->socket() : -1, .events = POLLIN, .revents = 0});
  }
  poll(descriptors.data(), descriptors.size(), kTickMs);
  uint64_t word = 0;
  if (::read(wake_, &word, sizeof(word)) != sizeof(word)) return 0;
  return static_cast<char>(word);
}

void Heartbeat::Watch::read(Watched& from) {
  for (const std::string& line : from.peer.link->receive()) {
    if (is_over_) return;
    from.heard = clock_.seconds();
    take(from, line);
  }
}

void Heartbeat::Watch::take(Watched& from, const std::string& line) {
  if (line.empty()) return;
  const std::string text = line.substr(std::min<size_t>(2, line.size()));
  switch (line[0]) {
    case kAt: {
      int rank = -1;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), rank);
      if (error == std::errc()) {
        const auto begin = static_cast<size_t>(end - text.data());
        places_[rank] = text.substr(std::min(begin + 1, text.size()));
      }
      break;
    }
    case kFail:
      if (!failing_) {
        failing_ = clock_.seconds();
        failing_rank_ = text;
        tell(kFail, text, &from);
      }
      break;
    case kDone:
      from.left = true;
      break;
    case kLost:
      lose(text, false, &from);
      break;
    default:
      break;  // of a later version: all ranks run one program, so there is none
  }
}

void Heartbeat::Watch::beat() {
  next_beat_ = clock_.seconds() + kBeatSeconds;
  places_[rank_] = options_.place();
  for (const Watched& watched : peers_) {
    Link& link = *watched.peer.link;
    if (!watched.peer.is_parent) {
      link.offer(fmt::format("{} {} {}", kAt, rank_, places_[rank_]));
      continue;
    }
    // All that is known below this rank goes up.
    std::string lines;
    for (const auto& [rank, place] : places_) {
      const auto& above = watched.peer.ranks;
      if (std::find(above.begin(), above.end(), rank) != above.end()) continue;
      lines += fmt::format("{}{} {} {}", lines.empty() ? "" : "\n", kAt, rank, place);
    }
    link.offer(lines);
  }
}

std::string Heartbeat::Watch::where(int rank) const {
  const auto found = places_.find(rank);
  return found == places_.end() || found->second.empty() ? "an unknown place" : found->second;
}

std::string Heartbeat::Watch::where_all(const std::vector<int>& ranks) const {
  std::string text;
  for (const int rank : ranks) {
    text += fmt::format("{}rank {} was at {}", text.empty() ? "" : "; ", rank, where(rank));
  }
  return fmt::format("{}; rank {} is at {}", text, rank_, options_.place());
}

void Heartbeat::Watch::judge() {
  const double now = clock_.seconds();
  for (Watched& watched : peers_) {
    if (watched.left || is_over_) continue;
    const Link& link = *watched.peer.link;
    const double silent = link.silent_s();
    const bool no_way = link.state() == Link::State::kUnreachable;
    if (no_way || (link.state() == Link::State::kOpen && silent > options_.timeout_s)) {
      const std::vector<int>& ranks = watched.peer.ranks;
      lose(fmt::format("lost {} on host {}: expected a sign of life within {} s, found none for "
                       "{:.0f} s; {}",
                       names_of(ranks), watched.peer.host, options_.timeout_s, silent,
                       where_all(ranks)),
           true, &watched);
      return;
    }
    judge_process(watched);
  }
  if (failing_ && now - *failing_ > 2 * options_.grace_s && !is_over_) {
    lose(
        fmt::format("rank {} ended with an error, and the launcher ended no other rank within {} s",
                    failing_rank_, 2 * options_.grace_s),
        speaks_as_orphan(), nullptr);
  }
}

void Heartbeat::Watch::judge_process(Watched& watched) {
  const double now = clock_.seconds();
  const int rank = watched.peer.rank;
  if (watched.peer.link->state() == Link::State::kClosed) {
    if (failing_) return;
    if (!watched.gone) watched.gone = now;
    if (now - *watched.gone < options_.grace_s) return;
    lose(fmt::format("lost rank {} on host {}: its process is gone, and the launcher ended no "
                     "other rank within {} s; {}",
                     rank, watched.peer.host, options_.grace_s, where_all({rank})),
         !watched.peer.is_parent || speaks_as_orphan(), &watched);
    return;
  }
  const double quiet = now - watched.heard;
  if (quiet > options_.timeout_s && !watched.is_warned) {
    watched.is_warned = true;
    options_.on_warning(fmt::format(
        "heartbeat: rank {} on host {} is stopped, or starved of processor time, for {:.0f} s at "
        "{}; the run waits for it (parallel.timeout)",
        rank, watched.peer.host, quiet, where(rank)));
  } else if (watched.is_warned && quiet < options_.timeout_s) {
    watched.is_warned = false;
    options_.on_warning(
        fmt::format("heartbeat: rank {} on host {} goes on", rank, watched.peer.host));
  }
}

/// Whether this rank speaks of what all ranks see that are linked with the same one of this host.
bool Heartbeat::Watch::speaks_as_orphan() const {
  const Peer& first = peers_.front().peer;
  return is_second_ || !first.is_parent || !first.is_local;
}

void Heartbeat::Watch::tell(char kind, const std::string& text, const Watched* but) {
  for (const Watched& watched : peers_) {
    if (&watched != but) watched.peer.link->send(fmt::format("{} {}", kind, text));
  }
}

void Heartbeat::Watch::finish(double patience_s) {
  for (const Watched& watched : peers_) watched.peer.link->finish(0);
  const Stopwatch waited;
  for (const Watched& watched : peers_) watched.peer.link->finish(patience_s - waited.seconds());
}

void Heartbeat::Watch::lose(const std::string& reason, bool speaks, const Watched* but) {
  is_over_ = true;
  // The line comes first: when the others end, the launcher ends this rank.
  if (speaks) options_.on_lost(reason);
  tell(kLost, reason, but);
  finish(kFinishSeconds);
  options_.end();
}

Heartbeat::Heartbeat(int rank, const Exchange& exchange, HeartbeatOptions options) {
  RankTree tree = RankTree::connect(rank, options.host, exchange, kMeetSeconds);
  problem_ = tree.error;
  if (problem_.empty()) {
    watch_ = std::make_unique<Watch>(rank, std::move(tree), std::move(options));
  }
}

Heartbeat::~Heartbeat() = default;

void Heartbeat::fail() noexcept {
  if (watch_) watch_->end(kFail);
}

}  // namespace xkde::dist
