#ifndef XKDE_STAGES_RUN_JSON_LINES_H_
#define XKDE_STAGES_RUN_JSON_LINES_H_

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "core/io/file.h"
#include "core/io/json_file.h"

namespace xkde::recipe {

/// A file of one JSON object a line. Each line is with the system when append() returns, so it
/// outlives the process. Throws IoError.
class JsonLinesWriter {
 public:
  explicit JsonLinesWriter(const std::filesystem::path& path)
      : file_(FileHandle::open(path, OpenMode::kAppend)) {}
  void append(const Json& object) { file_.write_all(object.dump() + "\n"); }

 private:
  FileHandle file_;
};

/// Cuts a file of lines to the past of a run that goes on from step `last`: keeps the lines in
/// front of the first one whose integer `key` is above `last` or missing, or that was cut short.
/// Returns the `key` of the last line that stays. Does nothing when there is no file. Throws
/// IoError.
std::optional<int64_t> keep_lines_up_to(const std::filesystem::path& path, const char* key,
                                        int64_t last);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_RUN_JSON_LINES_H_
