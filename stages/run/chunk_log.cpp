#include "stages/run/chunk_log.h"

#include <fstream>
#include <iterator>
#include <utility>

#include "core/base/error.h"
#include "core/io/atomic_file.h"
#include "core/io/file.h"

namespace xkde::recipe {
namespace {

namespace fs = std::filesystem;

constexpr const char* kMetrics = "metrics.jsonl";

std::string read_from(const fs::path& path, int64_t offset) {
  std::ifstream file(path, std::ios::binary);
  file.seekg(offset);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::string lines_of(const Json& rows) {
  std::string lines;
  for (const Json& row : rows) lines += row.dump() + "\n";
  return lines;
}

/// Whether a line of a part says what a rank did. One that a kill cut short does not.
bool is_chunk(const Json& line) {
  return line.is_object() && line.contains("chunk") && line["chunk"].is_number_integer() &&
         line.contains("rows") && line["rows"].is_array() && line.contains("metrics");
}

void append_bytes(const fs::path& path, const std::string& bytes) {
  FileHandle::open(path, OpenMode::kAppend).write_all(bytes);
}

}  // namespace

ChunkLog::ChunkLog(fs::path file, std::vector<int64_t> rows_of_chunk, dist::Communicator& comm)
    : file_(std::move(file)),
      parts_(file_.string() + ".parts"),
      rows_of_chunk_(std::move(rows_of_chunk)),
      comm_(comm) {
  std::string done;
  if (comm_.rank() == 0) {
    take_over();
    done = Json(done_).dump();
  }
  done = comm_.broadcast_bytes(done, 0);
  done_ = parse_json(done, "chunks").get<std::set<int64_t>>();
  own_ = std::make_unique<JsonLinesWriter>(part_of(comm_.rank()));
}

fs::path ChunkLog::part_of(int rank) const { return parts_ / ("rank-" + std::to_string(rank)); }

/// Cuts the common file to whole chunks and keeps what parts have beyond them in one file, so that
/// this run's ranks, however many, begin with empty ones.
void ChunkLog::take_over() {
  fs::create_directories(parts_);
  std::ifstream file(file_, std::ios::binary);
  std::string kept, chunk, line;
  int64_t rows = 0;
  while (next_ < std::ssize(rows_of_chunk_) && std::getline(file, line) && !file.eof()) {
    chunk += line + "\n";
    if (++rows < rows_of_chunk_[static_cast<size_t>(next_)]) continue;
    kept += std::exchange(chunk, "");
    rows = 0;
    done_.insert(next_++);
  }
  file.close();
  write_file_atomically(file_, kept);
  keep_lines_up_to(file_.parent_path() / kMetrics, "chunk", next_ - 1);

  read_parts();
  std::string ahead;
  for (const auto& [number, part] : waiting_) {
    done_.insert(number);
    ahead += Json{{"chunk", number}, {"rows", part.rows}, {"metrics", part.metrics}}.dump() + "\n";
  }
  write_file_atomically(parts_ / "kept", ahead);
  for (const fs::directory_entry& entry : fs::directory_iterator(parts_)) {
    if (entry.path().filename() != "kept") fs::remove(entry.path());
  }
  read_up_to_ = {{(parts_ / "kept").string(), static_cast<int64_t>(ahead.size())}};
  write_ready();
}

void ChunkLog::read_parts() {
  for (const fs::directory_entry& entry : fs::directory_iterator(parts_)) {
    int64_t& offset = read_up_to_[entry.path().string()];
    const std::string bytes = read_from(entry.path(), offset);
    size_t begin = 0;
    for (size_t end = bytes.find('\n'); end != std::string::npos; end = bytes.find('\n', begin)) {
      const Json line = Json::parse(bytes.substr(begin, end - begin), nullptr, false);
      begin = end + 1;
      if (!is_chunk(line)) continue;
      const auto number = line["chunk"].get<int64_t>();
      if (number < next_) continue;
      waiting_[number] = {line["rows"], line["metrics"]};
    }
    offset += static_cast<int64_t>(begin);
  }
}

void ChunkLog::write_ready() {
  std::string rows, metrics;
  while (!waiting_.empty() && waiting_.begin()->first == next_) {
    rows += lines_of(waiting_.begin()->second.rows);
    metrics += waiting_.begin()->second.metrics.dump() + "\n";
    waiting_.erase(waiting_.begin());
    ++next_;
  }
  if (rows.empty() && metrics.empty()) return;
  append_bytes(file_, rows);
  append_bytes(file_.parent_path() / kMetrics, metrics);
}

void ChunkLog::append(int64_t chunk, const std::vector<Json>& rows, const Json& metrics) {
  own_->append({{"chunk", chunk}, {"rows", rows}, {"metrics", metrics}});
  if (comm_.rank() != 0) return;
  read_parts();
  write_ready();
}

void ChunkLog::finish() {
  own_.reset();
  comm_.barrier();
  if (comm_.rank() == 0) {
    read_parts();
    write_ready();
    XKDE_CHECK(next_ == std::ssize(rows_of_chunk_), InternalError, file_.string(), ": expected ",
               rows_of_chunk_.size(), " chunks, found ", next_);
    sync_path(file_);
    fs::remove_all(parts_);
  }
  comm_.barrier();
}

}  // namespace xkde::recipe
