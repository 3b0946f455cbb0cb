#ifndef XKDE_STAGES_RUN_CHUNK_LOG_H_
#define XKDE_STAGES_RUN_CHUNK_LOG_H_

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/io/json_file.h"
#include "distributed/comm/communicator.h"
#include "stages/recipe/run_record.h"
#include "stages/run/json_lines.h"

namespace xkde::recipe {

/// A .jsonl file that ranks fill together, chunk by chunk, in any order. Each rank logs its chunks
/// in a file of its own ("FILE.parts/rank-N", a line a chunk), and rank 0 appends to the common
/// file what comes next. So the file is always a beginning of the final one, and a run that is
/// killed loses no finished chunk. Ranks share the file system and send no messages while they
/// work.
class ChunkLog {
 public:
  /// Fills `file` and kMetricsFile beside it, whose lines have "chunk". A chunk has as many rows
  /// as rows_of_chunk says; `work` tells what all chunks do beyond what the stage's fingerprint
  /// covers. Takes over the chunks that an earlier run finished. A line of a part that was cut
  /// short, or that is no chunk of this format, is ignored: its chunk is done again. So are all
  /// where an earlier program had other work, or cut it otherwise. Collective.
  ChunkLog(std::filesystem::path file, std::vector<int64_t> rows_of_chunk, dist::Communicator& comm,
           std::string_view work = {});

  /// Whether an earlier run finished this chunk.
  bool is_done(int64_t chunk) const { return done_.contains(chunk); }
  std::filesystem::path folder() const { return file_.parent_path(); }
  int64_t num_done() const { return static_cast<int64_t>(done_.size()); }
  /// Makes a chunk of this rank durable against the end of the process. Not collective.
  void append(int64_t chunk, const std::vector<Json>& rows, const Json& metrics);
  /// Completes the common file; throws InternalError where a chunk is missing. Collective.
  void finish();

 private:
  struct Chunk {
    Json rows;  ///< a list
    Json metrics;
  };
  std::filesystem::path part_of(int rank) const;
  bool is_of_this_work(const Json& metrics) const;
  int64_t last_told(const std::filesystem::path& metrics) const;
  void take_over();
  void read_parts();
  void write_ready();

  std::filesystem::path file_, parts_;
  std::vector<int64_t> rows_of_chunk_;
  std::string work_;  ///< the beginning of a digest of all that; in each line of metrics
  dist::Communicator& comm_;
  std::set<int64_t> done_;
  std::unique_ptr<JsonLinesWriter> own_;
  // Of rank 0:
  int64_t next_ = 0;  ///< chunk that comes next in the common file
  std::map<int64_t, Chunk> waiting_;
  std::map<std::string, int64_t> read_up_to_;  ///< bytes of each part
};

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_RUN_CHUNK_LOG_H_
