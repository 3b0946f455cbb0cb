#ifndef XKDE_STAGES_FOLLOW_RANK_LOG_H_
#define XKDE_STAGES_FOLLOW_RANK_LOG_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "core/io/file.h"
#include "distributed/comm/communicator.h"
#include "stages/recipe/recipe.h"

namespace xkde::recipe {

/// A file that one rank adds lines to, each with the time before it (UTC, milliseconds), from one
/// start of a run to the next. A line is with the system when write() returns, so it outlives the
/// process; what a kill cut short stays a line of its own. Where the file would grow beyond its
/// limit, it becomes NAME.old, in the place of the one before, and a new one begins. Nothing here
/// throws: no log is worth a run.
class RankLog {
 public:
  static constexpr int64_t kMostBytes = int64_t{16} << 20;

  explicit RankLog(std::filesystem::path file, int64_t most_bytes = kMostBytes);

  /// Adds a line; line feeds in it become blanks. Returns what is to be said where that fails, and
  /// "" where it does not or has been said. Later lines are tried again.
  std::string write(std::string_view line) noexcept;

 private:
  void open();
  void append(std::string_view line);

  std::filesystem::path path_;
  int64_t most_bytes_;
  FileHandle file_;
  int64_t bytes_ = 0;
  bool is_torn_ = false;  ///< the file does not end with a line feed
  bool has_complained_ = false;
};

/// The log of a rank in a run's folder: logs/rank-00003.log.
std::filesystem::path rank_log_file(const std::filesystem::path& run, int rank);

/// Where the recipe asks for logs of ranks, all that this rank says from now on is in its log too,
/// to the end of the process. Not collective; the run's folder is there.
void start_rank_log(const Recipe& recipe, const dist::Communicator& comm);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_FOLLOW_RANK_LOG_H_
