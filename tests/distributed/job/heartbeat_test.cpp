// Ranks are processes of their own here, so that they can be killed and stopped.
#include "distributed/job/heartbeat.h"

#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace xkde::dist {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;

void write_all(int file, const std::string& bytes) {
  ASSERT_EQ(write(file, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
}

void send_text(int file, const std::string& text) {
  const uint64_t size = text.size();
  write_all(file, std::string(reinterpret_cast<const char*>(&size), sizeof(size)) + text);
}

/// Empty at the end of the file.
std::string read_bytes(int file, size_t size) {
  std::string bytes(size, '\0');
  for (size_t have = 0; have < size;) {
    const ssize_t count = read(file, &bytes[have], size - have);
    if (count <= 0) return "";
    have += static_cast<size_t>(count);
  }
  return bytes;
}

std::string receive_text(int file) {
  const std::string head = read_bytes(file, sizeof(uint64_t));
  if (head.empty()) return "";
  uint64_t size = 0;
  std::memcpy(&size, head.data(), sizeof(size));
  return read_bytes(file, size);
}

/// Ranks as children of this process, which carries what they exchange.
class Job {
 public:
  using Body = std::function<void(int rank, Heartbeat& heartbeat)>;

  /// `hosts`: of each rank. `body` is what a rank does while the heartbeat watches.
  Job(const std::vector<std::string>& hosts, HeartbeatOptions options, const Body& body) {
    for (size_t rank = 0; rank < hosts.size(); ++rank) {
      int both[2];
      int report[2];
      EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, both), 0);
      EXPECT_EQ(pipe2(report, O_CLOEXEC), 0);
      const pid_t pid = fork();
      if (pid == 0) {
        for (const Rank& other : ranks_) close(other.exchange);
        close(both[0]);
        options.host = {"id of " + hosts[rank], hosts[rank]};
        Wires wires{both[1], report[1], hosts.size()};
        run_rank(static_cast<int>(rank), wires, options, body);
      }
      close(both[1]);
      close(report[1]);
      ranks_.push_back({pid, both[0], report[0]});
    }
  }
  ~Job() {
    for (const Rank& rank : ranks_) {
      kill(rank.pid, SIGKILL);
      waitpid(rank.pid, nullptr, 0);
      close(rank.exchange);
      close(rank.report);
    }
  }

  /// Carries the three exchanges of a start. `between` sees the second one's texts.
  void start(const std::function<void(const std::vector<std::string>&)>& between = {}) {
    for (int round = 0; round < 3; ++round) {
      std::vector<std::string> texts;
      for (const Rank& rank : ranks_) texts.push_back(receive_text(rank.exchange));
      if (round == 1 && between) between(texts);
      for (const Rank& rank : ranks_) {
        for (const std::string& text : texts) send_text(rank.exchange, text);
      }
    }
    for (const Rank& rank : ranks_) EXPECT_EQ(receive_text(rank.report), "watches");
  }
  void send(int rank, int signal) { kill(at(rank).pid, signal); }
  /// The next thing that a rank's heartbeat says; empty when the rank has ended.
  std::string next_line(int rank) { return receive_text(at(rank).report); }
  int exit_code(int rank) {
    siginfo_t info{};
    EXPECT_EQ(waitid(P_PID, static_cast<id_t>(at(rank).pid), &info, WEXITED | WNOWAIT), 0);
    return info.si_code == CLD_EXITED ? info.si_status : -info.si_status;
  }

 private:
  struct Rank {
    pid_t pid;
    int exchange;
    int report;
  };

  Rank& at(int rank) { return ranks_[static_cast<size_t>(rank)]; }

  struct Wires {
    int exchange;
    int report;
    size_t ranks;
  };

  [[noreturn]] static void run_rank(int rank, const Wires& wires, HeartbeatOptions options,
                                    const Body& body) {
    options.place = [rank] { return "step " + std::to_string(40 + rank); };
    options.on_lost = [&wires](const std::string& line) { send_text(wires.report, line); };
    options.on_warning = options.on_lost;
    options.end = [] { std::_Exit(81); };
    const auto all_gather = [&wires](const std::string& text) {
      send_text(wires.exchange, text);
      std::vector<std::string> all;
      for (size_t r = 0; r < wires.ranks; ++r) all.push_back(receive_text(wires.exchange));
      return all;
    };
    {
      Heartbeat heartbeat(rank, all_gather, options);
      send_text(wires.report, heartbeat.problem().empty() ? "watches" : heartbeat.problem());
      body(rank, heartbeat);
    }
    std::_Exit(0);
  }

  std::vector<Rank> ranks_;
};

HeartbeatOptions quick() {
  HeartbeatOptions options;
  options.grace_s = 0.2;
  return options;
}

void work_for_ever(int /*rank*/, Heartbeat& /*heartbeat*/) {
  for (;;) pause();
}

TEST(Heartbeat, AKilledRankIsNamedOnceAndEndsAll) {
  Job job({"a", "a", "b", "b"}, quick(), work_for_ever);
  job.start();

  job.send(3, SIGKILL);

  // Rank 2 is linked with it, and speaks for all.
  EXPECT_THAT(job.next_line(2),
              ContainsRegex("^lost rank 3 on host b: its process is gone, .*; rank 3 was at (step "
                            "43|an unknown place); rank 2 is at step 42$"));
  for (const int rank : {0, 1, 2}) {
    EXPECT_EQ(job.exit_code(rank), 81) << rank;
    EXPECT_EQ(job.next_line(rank), "") << rank;
  }
}

TEST(Heartbeat, ALostFirstRankOfAHostIsNamedToo) {
  Job job({"a", "a", "a"}, quick(), work_for_ever);
  job.start();

  job.send(0, SIGKILL);

  EXPECT_THAT(job.next_line(1), HasSubstr("lost rank 0 on host a"));
  EXPECT_EQ(job.next_line(2), "");
  EXPECT_EQ(job.exit_code(1), 81);
  EXPECT_EQ(job.exit_code(2), 81);
}

TEST(Heartbeat, RanksThatEndAsTheyShouldAreNotMissed) {
  const auto work = [](int rank, Heartbeat& /*heartbeat*/) {
    std::this_thread::sleep_for(std::chrono::milliseconds(rank == 1 ? 0 : 1500));
  };
  Job job({"a", "b", "b"}, quick(), work);
  job.start();

  for (const int rank : {0, 1, 2}) {
    EXPECT_EQ(job.exit_code(rank), 0) << rank;
    EXPECT_EQ(job.next_line(rank), "") << rank;
  }
}

TEST(Heartbeat, ARankThatFailsIsTheLaunchersAtFirst) {
  const auto work = [](int rank, Heartbeat& heartbeat) {
    if (rank == 1) heartbeat.fail();
    for (;;) pause();
  };
  Job job({"a", "b"}, quick(), work);
  job.start();

  EXPECT_EQ(job.next_line(0),
            "rank 1 ended with an error, and the launcher ended no other rank within 0.4 s");
  EXPECT_EQ(job.exit_code(0), 81);
}

TEST(Heartbeat, AStoppedRankIsWarnedOfAndMayGoOn) {
  for (const char* host : {"a", "b"}) {
    HeartbeatOptions options = quick();
    options.timeout_s = 2;
    Job job({"a", host}, options, work_for_ever);
    job.start();

    job.send(1, SIGSTOP);
    EXPECT_THAT(job.next_line(0), ContainsRegex("^heartbeat: rank 1 on host . is stopped"));
    job.send(1, SIGCONT);
    EXPECT_THAT(job.next_line(0), HasSubstr("goes on"));
  }
}

/// A connection to the port of an offer, which says `words`.
int connect_as_stranger(const std::string& offer, const std::string& words) {
  const size_t begin = offer.find(' ') + 1;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(std::stoi(offer.substr(begin))));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int stranger = socket(AF_INET, SOCK_STREAM, 0);
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  EXPECT_EQ(connect(stranger, generic, sizeof(address)), 0);
  write_all(stranger, words);
  return stranger;
}

TEST(Heartbeat, StrangersAreIgnored) {
  Job job({"a", "b"}, quick(), work_for_ever);
  std::vector<int> strangers;

  job.start([&strangers](const std::vector<std::string>& offers) {
    strangers.push_back(connect_as_stranger(offers[0], "a wrong token 1\n"));
    strangers.push_back(connect_as_stranger(offers[0], "half a hello"));
    strangers.push_back(connect_as_stranger(offers[0], std::string(1000, 'x')));
  });

  job.send(1, SIGKILL);
  EXPECT_THAT(job.next_line(0), HasSubstr("lost rank 1 on host b"));
  for (const int stranger : strangers) close(stranger);
}

}  // namespace
}  // namespace xkde::dist
