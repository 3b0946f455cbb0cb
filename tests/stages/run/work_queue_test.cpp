#include "stages/run/work_queue.h"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/stop_signals.h"
#include "core/io/file.h"
#include "distributed/comm/thread_communicator.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_folder.h"

namespace xkde::recipe {
namespace {

namespace fs = std::filesystem;
using dist::Communicator;
using test::message_of;
using testing::ElementsAre;

/// The chunks that the ranks worked on, each as often as it was.
class Worked {
 public:
  std::string add(int64_t chunk) {
    const std::lock_guard lock(mutex_);
    chunks_.insert(chunk);
    return "1 tokens/s";
  }
  const std::multiset<int64_t>& chunks() const { return chunks_; }

 private:
  std::mutex mutex_;
  std::multiset<int64_t> chunks_;
};

std::vector<Json> rows_of(int64_t chunk) { return {Json{{"chunk", chunk}}}; }

TEST(WorkQueue, EachChunkGoesToOneRank) {
  const test::TempFolder folder;
  for (const int ranks : {1, 3}) {
    Worked worked;

    dist::run_ranks(ranks, [&](Communicator& comm) {
      ChunkLog log(folder.path() / concat(ranks) / "rows.jsonl", std::vector<int64_t>(7, 1), comm);
      WorkQueue queue("test", 7, comm, log);
      queue.run(0, 3, "rows", [&](int64_t chunk) { return worked.add(chunk); });
      queue.run(3, 7, "rows", [&](int64_t chunk) { return worked.add(chunk); });
    });

    EXPECT_THAT(worked.chunks(), ElementsAre(0, 1, 2, 3, 4, 5, 6)) << ranks;
  }
}

TEST(WorkQueue, NoChunksAreNoWork) {
  const test::TempFolder folder;
  dist::run_ranks(2, [&](Communicator& comm) {
    ChunkLog log(folder.path() / "rows.jsonl", {}, comm);
    WorkQueue queue("test", 0, comm, log);
    queue.run(0, 0, "rows", [](int64_t) -> std::string { throw InternalError("there is none"); });
  });
}

TEST(WorkQueue, ChunksInTheLogArePassedOver) {
  const test::TempFolder folder;
  const fs::path file = folder.path() / "rows.jsonl";
  Worked worked;
  dist::run_ranks(1, [&](Communicator& comm) {
    ChunkLog log(file, {1, 1, 1, 1}, comm);
    for (const int64_t chunk : {0, 2}) log.append(chunk, rows_of(chunk), {{"chunk", chunk}});
  });

  dist::run_ranks(2, [&](Communicator& comm) {
    ChunkLog log(file, {1, 1, 1, 1}, comm);
    WorkQueue queue("test", 4, comm, log);
    queue.run(0, 4, "rows", [&](int64_t chunk) {
      log.append(chunk, rows_of(chunk), {{"chunk", chunk}});
      return worked.add(chunk);
    });
    log.finish();
  });

  EXPECT_THAT(worked.chunks(), ElementsAre(1, 3));
  EXPECT_EQ(text_of_file(file), "{\"chunk\":0}\n{\"chunk\":1}\n{\"chunk\":2}\n{\"chunk\":3}\n");
}

/// Chunks of a bundle may be far apart.
TEST(WorkQueue, ProgressCountsWhatIsDone) {
  const test::TempFolder folder;
  testing::internal::CaptureStderr();
  dist::run_ranks(1, [&](Communicator& comm) {
    ChunkLog log(folder.path() / "rows.jsonl", std::vector<int64_t>(10, 1), comm);
    WorkQueue queue("test", 10, comm, log);
    const std::vector<std::vector<int64_t>> bundles{{9, 0}, {8}, {1}};
    queue.run(bundles, "rows", [](int64_t) { return std::string("1 tokens/s"); });
    queue.run(2, 8, "rows", [](int64_t) { return std::string("2 tokens/s"); });
  });
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              testing::MatchesRegex("test 2/10  1[^\n]*\ntest 4/10  1[^\n]*\ntest 6/10  2[^\n]*\n"
                                    "test 8/10  2[^\n]*\ntest 10/10  2[^\n]*\n"));
}

TEST(WorkQueue, ABundleGoesToOneRankInItsOrder) {
  const test::TempFolder folder;
  const std::vector<std::vector<int64_t>> bundles{{5, 0}, {3}, {}, {6, 1, 4}};
  for (const int ranks : {1, 3}) {
    std::mutex mutex;
    std::map<int, std::vector<int64_t>> by_rank;
    dist::run_ranks(ranks, [&](Communicator& comm) {
      ChunkLog log(folder.path() / concat(ranks) / "rows.jsonl", std::vector<int64_t>(7, 1), comm);
      WorkQueue queue("test", 7, comm, log);
      queue.run(bundles, "rows", [&](int64_t chunk) {
        const std::lock_guard lock(mutex);
        by_rank[comm.rank()].push_back(chunk);
        return std::string("1 tokens/s");
      });
    });

    std::multiset<int64_t> all;
    for (const auto& [rank, chunks] : by_rank) all.insert(chunks.begin(), chunks.end());
    EXPECT_THAT(all, ElementsAre(0, 1, 3, 4, 5, 6)) << ranks;
    for (const std::vector<int64_t>& bundle : bundles) {
      const auto has_it = [&bundle](const auto& of_rank) {
        return std::ranges::search(of_rank.second, bundle).begin() != of_rank.second.end();
      };
      EXPECT_TRUE(bundle.empty() || std::ranges::any_of(by_rank, has_it)) << ranks;
    }
  }
}

TEST(WorkQueue, NoBundlesAreNoWork) {
  const test::TempFolder folder;
  dist::run_ranks(2, [&](Communicator& comm) {
    ChunkLog log(folder.path() / "rows.jsonl", {}, comm);
    WorkQueue queue("test", 0, comm, log);
    queue.run(std::vector<std::vector<int64_t>>(), "rows",
              [](int64_t) -> std::string { throw InternalError("there is none"); });
  });
}

TEST(WorkQueue, ChunksOfABundleThatAreInTheLogArePassedOver) {
  const test::TempFolder folder;
  const fs::path file = folder.path() / "rows.jsonl";
  Worked worked;
  dist::run_ranks(1, [&](Communicator& comm) {
    ChunkLog log(file, {1, 1, 1, 1}, comm);
    log.append(2, rows_of(2), {{"chunk", 2}});
  });

  dist::run_ranks(2, [&](Communicator& comm) {
    ChunkLog log(file, {1, 1, 1, 1}, comm);
    WorkQueue queue("test", 4, comm, log);
    queue.run(std::vector<std::vector<int64_t>>{{1, 2, 3}, {0}}, "rows", [&](int64_t chunk) {
      log.append(chunk, rows_of(chunk), {{"chunk", chunk}});
      return worked.add(chunk);
    });
    log.finish();
  });

  EXPECT_THAT(worked.chunks(), ElementsAre(0, 1, 3));
}

/// In a process of its own: two ranks that are asked to stop while they work on the first chunks.
void stop_in_between(const fs::path& file) {
  install_stop_signals();
  std::atomic<int> done{0};
  const std::string message = message_of<StopRequested>([&] {
    dist::run_ranks(2, [&](Communicator& comm) {
      ChunkLog log(file, std::vector<int64_t>(100, 1), comm);
      WorkQueue queue("test", 100, comm, log);
      queue.run(0, 100, "rows", [&](int64_t chunk) {
        std::raise(SIGTERM);
        log.append(chunk, rows_of(chunk), {{"chunk", chunk}});
        ++done;
        return std::string();
      });
    });
  });
  if (message != "stopped on request, finished rows kept in " + file.parent_path().string()) {
    _exit(1);
  }
  _exit(done >= 1 && done <= 2 ? 0 : 2);
}

/// The same between the chunks of a bundle.
void stop_within_a_bundle(const fs::path& file) {
  install_stop_signals();
  std::atomic<int> done{0};
  const std::string message = message_of<StopRequested>([&] {
    dist::run_ranks(2, [&](Communicator& comm) {
      ChunkLog log(file, std::vector<int64_t>(100, 1), comm);
      WorkQueue queue("test", 100, comm, log);
      std::vector<std::vector<int64_t>> bundles(2);
      for (int64_t chunk = 0; chunk < 100; ++chunk)
        bundles[static_cast<size_t>(chunk / 50)].push_back(chunk);
      queue.run(bundles, "rows", [&](int64_t chunk) {
        std::raise(SIGTERM);
        log.append(chunk, rows_of(chunk), {{"chunk", chunk}});
        ++done;
        return std::string();
      });
    });
  });
  if (message != "stopped on request, finished rows kept in " + file.parent_path().string()) {
    _exit(1);
  }
  _exit(done >= 1 && done <= 2 ? 0 : 2);
}

/// The same in the middle of a chunk, which one rank leaves.
void stop_within_a_chunk(const fs::path& file) {
  install_stop_signals();
  const std::string message = message_of<StopRequested>([&] {
    dist::run_ranks(2, [&](Communicator& comm) {
      ChunkLog log(file, std::vector<int64_t>(100, 1), comm);
      WorkQueue queue("test", 100, comm, log);
      queue.run(0, 100, "rows", [&](int64_t) -> std::string {
        std::raise(SIGHUP);
        check_stop();
        _exit(2);
      });
    });
  });
  _exit(message == "stopped on request, finished rows kept in " + file.parent_path().string() ? 0
                                                                                              : 1);
}

TEST(WorkQueue, AStopRequestEndsWorkThatIsKept) {
  const test::TempFolder folder;

  EXPECT_EXIT(stop_in_between(folder.path() / "rows.jsonl"), testing::ExitedWithCode(0), "");

  EXPECT_FALSE(text_of_file(folder.path() / "rows.jsonl").empty() &&
               fs::is_empty(folder.path() / "rows.jsonl.parts"));
}

TEST(WorkQueue, AStopRequestEndsABundle) {
  const test::TempFolder folder;

  EXPECT_EXIT(stop_within_a_bundle(folder.path() / "rows.jsonl"), testing::ExitedWithCode(0), "");
}

TEST(WorkQueue, AStopRequestEndsWorkWithinAChunk) {
  const test::TempFolder folder;

  EXPECT_EXIT(stop_within_a_chunk(folder.path() / "rows.jsonl"), testing::ExitedWithCode(0), "");
}

TEST(TokensPerSecond, AreRounded) {
  EXPECT_EQ(tokens_per_second(481, 2.0), "240 tokens/s");
  EXPECT_EQ(tokens_per_second(0, 2.0), "0 tokens/s");
}

}  // namespace
}  // namespace xkde::recipe
