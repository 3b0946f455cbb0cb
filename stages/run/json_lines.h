#ifndef XKDE_STAGES_RUN_JSON_LINES_H_
#define XKDE_STAGES_RUN_JSON_LINES_H_

#include <cstdint>
#include <filesystem>
#include <vector>

#include "core/io/json_file.h"

namespace xkde::recipe {

/// A file of one JSON object a line, appended to and flushed line by line. Throws IoError.
class JsonLinesWriter {
 public:
  explicit JsonLinesWriter(std::filesystem::path path);
  ~JsonLinesWriter();
  JsonLinesWriter(const JsonLinesWriter&) = delete;
  JsonLinesWriter& operator=(const JsonLinesWriter&) = delete;
  void append(const Json& object);

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
};

/// Rewrites the file without the lines whose integer `key` is above `last`, and without a last line
/// that was cut short: what a run that goes on from step `last` finds as its past. No effect when
/// the file is not there.
void keep_lines_up_to(const std::filesystem::path& path, const char* key, int64_t last);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_RUN_JSON_LINES_H_
