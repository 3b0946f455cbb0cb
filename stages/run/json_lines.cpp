#include "stages/run/json_lines.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <string>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/io/atomic_file.h"

namespace xkde::recipe {

JsonLinesWriter::JsonLinesWriter(std::filesystem::path path) : path_(std::move(path)) {
  descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  XKDE_CHECK(descriptor_ >= 0, IoError, path_.string(), ": expected a file to append to, found ",
             std::strerror(errno));
}

JsonLinesWriter::~JsonLinesWriter() { ::close(descriptor_); }

void JsonLinesWriter::append(const Json& object) {
  std::string line = object.dump();
  line += '\n';
  size_t done = 0;
  while (done < line.size()) {
    const ssize_t written = ::write(descriptor_, line.data() + done, line.size() - done);
    if (written < 0 && errno == EINTR) continue;
    XKDE_CHECK(written >= 0, IoError, path_.string(), ": expected to append ", line.size(),
               " bytes, found ", std::strerror(errno));
    done += static_cast<size_t>(written);
  }
}

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
