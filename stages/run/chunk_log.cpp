#include "stages/run/chunk_log.h"

#include <utility>

#include "core/base/error.h"
#include "core/io/atomic_file.h"
#include "core/io/file_reader.h"
#include "core/io/sha256.h"
#include "stages/recipe/run_record.h"
#include "stages/run/stage_folder.h"

namespace xkde::recipe {
namespace {

namespace fs = std::filesystem;

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

ChunkLog::ChunkLog(fs::path file, std::vector<int64_t> rows_of_chunk, dist::Communicator& comm,
                   std::string_view work)
    : file_(std::move(file)),
      parts_(file_.string() + ".parts"),
      rows_of_chunk_(std::move(rows_of_chunk)),
      work_(sha256_hex(Json{rows_of_chunk_, work}.dump()).substr(0, 16)),
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

bool ChunkLog::is_of_this_work(const Json& metrics) const {
  return metrics.is_object() && metrics.value("work", Json()) == work_;
}

/// The last chunk of which metrics are there; -1: none, or they are of other work.
int64_t ChunkLog::last_told(const fs::path& metrics) const {
  auto lines = LineReader::open_if_there(metrics, FileOrigin::kOwn);
  std::string first;
  const bool is_ours = lines && lines->next(first) && lines->is_whole() &&
                       is_of_this_work(Json::parse(first, nullptr, false));
  const int64_t last = is_ours ? std::ssize(rows_of_chunk_) - 1 : -1;
  return keep_lines_up_to(metrics, "chunk", last).value_or(-1);
}

/// Cuts the common file to whole chunks and keeps what parts have beyond them in one file, so that
/// this run's ranks, however many, begin with empty ones.
void ChunkLog::take_over() {
  fs::create_directories(parts_);
  const fs::path metrics = file_.parent_path() / kMetricsFile;
  // A power cut may take lines of either file: a chunk is done where both have it.
  const int64_t told = last_told(metrics);
  auto lines = LineReader::open_if_there(file_, FileOrigin::kOwn);
  std::string kept, chunk, line;
  int64_t rows = 0;
  while (lines && lines->next(line) && lines->is_whole() && next_ <= told) {
    chunk += line + "\n";
    if (++rows < rows_of_chunk_[static_cast<size_t>(next_)]) continue;
    kept += std::exchange(chunk, "");
    rows = 0;
    done_.insert(next_++);
  }
  write_file_atomically(file_, kept);
  keep_lines_up_to(metrics, "chunk", next_ - 1);

  read_parts();
  std::string ahead;
  for (const auto& [number, part] : waiting_) {
    done_.insert(number);
    ahead += Json{{"chunk", number}, {"rows", part.rows}, {"metrics", part.metrics}}.dump() + "\n";
  }
  write_file_atomically(parts_ / "kept", ahead);
  for (const fs::path& part : entries_of(parts_, FileOrigin::kOwn)) {
    if (part.filename() != "kept") fs::remove(part);
  }
  read_up_to_ = {{(parts_ / "kept").string(), static_cast<int64_t>(ahead.size())}};
  write_ready();
}

void ChunkLog::read_parts() {
  for (const fs::path& part : entries_of(parts_, FileOrigin::kOwn)) {
    int64_t& offset = read_up_to_[part.string()];
    LineReader lines(part, FileOrigin::kOwn, offset);
    for (std::string text; lines.next(text) && lines.is_whole();) {
      offset = lines.end();
      const Json line = Json::parse(text, nullptr, false);
      if (!is_chunk(line) || !is_of_this_work(line["metrics"])) continue;
      const auto number = line["chunk"].get<int64_t>();
      if (number < next_) continue;
      waiting_[number] = {line["rows"], line["metrics"]};
    }
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
  // A kill between the two leaves metrics of a chunk whose rows are not there: take_over() cuts
  // them.
  append_bytes(file_.parent_path() / kMetricsFile, metrics);
  append_bytes(file_, rows);
}

void ChunkLog::append(int64_t chunk, const std::vector<Json>& rows, const Json& metrics) {
  Json told = metrics;
  told["chunks"] = std::ssize(rows_of_chunk_);
  told["work"] = work_;
  own_->append({{"chunk", chunk}, {"rows", rows}, {"metrics", told}});
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
    if (next_ > 0) sync_path(file_.parent_path() / kMetricsFile);
    sync_path(file_);
    remove_tree(parts_);
  }
  comm_.barrier();
}

}  // namespace xkde::recipe
