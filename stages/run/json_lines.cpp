#include "stages/run/json_lines.h"

#include <fstream>
#include <string>

#include "core/io/atomic_file.h"

namespace xkde::recipe {

void keep_lines_up_to(const std::filesystem::path& path, const char* key, int64_t last) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return;
  std::string kept, line;
  while (std::getline(file, line)) {
    const bool whole = !file.eof();  // the last line ended with a newline
    const Json object = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!whole || object.is_discarded() || !object.contains(key)) break;
    if (object[key].get<int64_t>() > last) break;
    kept += line + "\n";
  }
  write_file_atomically(path, kept);
}

}  // namespace xkde::recipe
