#include "stages/run/chunk_log.h"

#include <functional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/io/file.h"
#include "core/io/sha256.h"
#include "distributed/comm/thread_communicator.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_folder.h"

namespace xkde::recipe {
namespace {

namespace fs = std::filesystem;
using dist::Communicator;
using test::message_of;
using testing::HasSubstr;

/// The rows of chunk i of a file whose chunks have two rows and the last one has one.
std::vector<Json> rows_of(int64_t chunk) {
  std::vector<Json> rows{{{"text", "línea \"" + std::to_string(chunk) + "\"\n"}, {"score", 0.1}}};
  if (chunk < 3) rows.push_back({{"ids", {chunk, -1}}, {"empty", Json::array()}});
  return rows;
}
const std::vector<int64_t> kRowsOfChunk{2, 2, 2, 1};

std::string lines_of(std::vector<int64_t> chunks) {
  std::string lines;
  for (const int64_t chunk : chunks) {
    for (const Json& row : rows_of(chunk)) lines += row.dump() + "\n";
  }
  return lines;
}

/// As every line of metrics names it.
std::string digest_of(const std::vector<int64_t>& rows, const std::string& work = "") {
  return sha256_hex(Json{rows, work}.dump()).substr(0, 16);
}
std::string metrics_of(std::vector<int64_t> chunks) {
  std::string lines;
  for (const int64_t chunk : chunks)
    lines += Json{{"chunk", chunk}, {"chunks", 4}, {"work", digest_of(kRowsOfChunk)}}.dump() + "\n";
  return lines;
}

class ChunkLogTest : public testing::Test {
 protected:
  fs::path file() const { return folder_.path() / "rows.jsonl"; }
  fs::path parts() const { return folder_.path() / "rows.jsonl.parts"; }
  std::string metrics() const { return text_of_file(folder_.path() / "metrics.jsonl"); }
  void write_part(const std::string& name, const std::string& text) {
    fs::create_directories(parts());
    folder_.write("rows.jsonl.parts/" + name, text);
  }

  /// A run of `ranks` ranks on the file.
  void run(int ranks, const std::function<void(ChunkLog&, Communicator&)>& body) {
    dist::run_ranks(ranks, [&](Communicator& comm) {
      ChunkLog log(file(), kRowsOfChunk, comm);
      body(log, comm);
    });
  }
  static void append(ChunkLog& log, std::vector<int64_t> chunks) {
    for (const int64_t chunk : chunks) log.append(chunk, rows_of(chunk), {{"chunk", chunk}});
  }
  void expect_whole_file() {
    EXPECT_EQ(text_of_file(file()), lines_of({0, 1, 2, 3}));
    EXPECT_EQ(metrics(), metrics_of({0, 1, 2, 3}));
    EXPECT_FALSE(fs::exists(parts()));
  }
  test::TempFolder folder_;
};

TEST_F(ChunkLogTest, RowsThatCannotBeReadAreNotDoneAgain) {
  fs::create_symlink("/proc/self/mem", file());  // EIO

  EXPECT_THROW(run(1, [](ChunkLog&, Communicator&) {}), IoError);
  EXPECT_TRUE(fs::is_symlink(file()));
}

TEST_F(ChunkLogTest, APartThatCannotBeReadIsKept) {
  fs::create_directories(parts());
  fs::create_symlink("/proc/self/mem", parts() / "rank-0");

  EXPECT_THROW(run(1, [](ChunkLog&, Communicator&) {}), IoError);
  EXPECT_TRUE(fs::is_symlink(parts() / "rank-0"));
}

TEST_F(ChunkLogTest, ChunksAreWrittenInOrderWhateverTheOrderOfWork) {
  run(1, [&](ChunkLog& log, Communicator&) {
    append(log, {2, 0});
    EXPECT_EQ(text_of_file(file()), lines_of({0}));
    append(log, {3, 1});
    EXPECT_EQ(text_of_file(file()), lines_of({0, 1, 2, 3}));
    log.finish();
  });

  expect_whole_file();
}

TEST_F(ChunkLogTest, TwoRanksFillOneFile) {
  run(2, [](ChunkLog& log, Communicator& comm) {
    append(log, comm.rank() == 0 ? std::vector<int64_t>{3, 0} : std::vector<int64_t>{1, 2});
    log.finish();
  });

  expect_whole_file();
}

TEST_F(ChunkLogTest, TakesOverWhatAnEarlierRunFinished) {
  run(3, [](ChunkLog& log, Communicator& comm) {
    if (comm.rank() == 1) append(log, {0});
    if (comm.rank() == 2) append(log, {2});
  });

  run(2, [&](ChunkLog& log, Communicator& comm) {
    EXPECT_EQ(log.num_done(), 2);
    EXPECT_TRUE(log.is_done(0) && log.is_done(2));
    EXPECT_FALSE(log.is_done(1) || log.is_done(3));
    if (comm.rank() == 0) {
      EXPECT_EQ(text_of_file(file()), lines_of({0}));
    }
    append(log, {comm.rank() == 0 ? int64_t{1} : int64_t{3}});
    log.finish();
  });

  expect_whole_file();
}

/// Chunks 0, in the common file, and 2, which waits in a part, of an earlier program.
TEST_F(ChunkLogTest, DoesAgainWhatWasOtherWorkOrWasCutOtherwise) {
  const std::vector<int64_t> cut_otherwise{2, 1, 2, 2};
  for (const bool has_other_rows : {false, true}) {
    run(1, [](ChunkLog& log, Communicator&) { append(log, {0, 2}); });

    dist::run_ranks(1, [&](Communicator& comm) {
      ChunkLog log(file(), has_other_rows ? cut_otherwise : kRowsOfChunk, comm,
                   has_other_rows ? "" : "more questions");
      EXPECT_EQ(log.num_done(), 0);
      EXPECT_EQ(text_of_file(file()), "");
      EXPECT_EQ(metrics(), "");
    });
  }
}

TEST_F(ChunkLogTest, AFinishedFileHasAllItsChunks) {
  run(1, [](ChunkLog& log, Communicator&) {
    append(log, {0, 1, 2, 3});
    log.finish();
  });

  run(2, [](ChunkLog& log, Communicator&) {
    EXPECT_EQ(log.num_done(), 4);
    log.finish();
  });

  expect_whole_file();
}

TEST_F(ChunkLogTest, AChunkIsDoneWhereRowsAndMetricsAreThere) {
  folder_.write("rows.jsonl", lines_of({0, 1, 2}));
  folder_.write("metrics.jsonl", metrics_of({0}));

  run(1, [&](ChunkLog& log, Communicator&) {
    EXPECT_EQ(log.num_done(), 1);
    append(log, {1, 2, 3});
    log.finish();
  });

  expect_whole_file();
}

TEST_F(ChunkLogTest, CutsTheFileToWholeChunks) {
  const std::string three_rows = lines_of({0, 1}).substr(0, lines_of({0, 1}).size() - 2);
  folder_.write("rows.jsonl", three_rows);
  folder_.write("metrics.jsonl", metrics_of({0, 1}));

  run(1, [&](ChunkLog& log, Communicator&) {
    EXPECT_EQ(log.num_done(), 1);
    EXPECT_EQ(text_of_file(file()), lines_of({0}));
    EXPECT_EQ(metrics(), metrics_of({0}));
    append(log, {1, 2, 3});
    log.finish();
  });

  expect_whole_file();
}

TEST_F(ChunkLogTest, ATornLineOfAPartIsIgnored) {
  const std::string line =
      Json{{"chunk", 1}, {"rows", rows_of(1)}, {"metrics", parse_json(metrics_of({1}), "line")}}
          .dump();
  write_part("rank-0", line + "\n" + line.substr(0, line.size() / 2));
  write_part("rank-1", line.substr(0, 20) + "\n");

  run(1, [](ChunkLog& log, Communicator&) {
    EXPECT_EQ(log.num_done(), 1);
    EXPECT_TRUE(log.is_done(1));
    append(log, {0, 2, 3});
    log.finish();
  });

  expect_whole_file();
}

TEST_F(ChunkLogTest, ChunksInAnotherFormatAreDoneAgain) {
  write_part("kept", R"({"chunk":1,"rows":"{\"text\":\"x\"}\n","metrics":{"chunk":1}})"
                     "\n[1]\n{\"chunk\":\"one\"}\n");

  run(1, [](ChunkLog& log, Communicator&) {
    EXPECT_EQ(log.num_done(), 0);
    append(log, {0, 1, 2, 3});
    log.finish();
  });

  expect_whole_file();
}

TEST_F(ChunkLogTest, AMissingChunkIsABug) {
  const auto act = [&] {
    run(1, [](ChunkLog& log, Communicator&) {
      append(log, {0, 2});
      log.finish();
    });
  };

  EXPECT_THAT(message_of<InternalError>(act), HasSubstr("rows.jsonl: expected 4 chunks, found 1"));
}

}  // namespace
}  // namespace xkde::recipe
