#include "stages/run/json_lines.h"

#include <string>

#include "core/io/atomic_file.h"
#include "core/io/file_reader.h"

namespace xkde::recipe {

std::optional<int64_t> keep_lines_up_to(const std::filesystem::path& path, const char* key,
                                        int64_t last) {
  auto lines = LineReader::open_if_there(path, FileOrigin::kOwn);
  if (!lines) return std::nullopt;
  std::optional<int64_t> reached;
  std::string kept;
  for (std::string line; lines->next(line) && lines->is_whole();) {
    const Json object = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!object.is_object() || !object.contains(key) || !object[key].is_number_integer()) break;
    if (object[key].get<int64_t>() > last) break;
    reached = object[key].get<int64_t>();
    kept += line + "\n";
  }
  write_file_atomically(path, kept);
  return reached;
}

}  // namespace xkde::recipe
