#include "core/data/benchmarks/loaded_data.h"

#include <iterator>
#include <set>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "core/base/error.h"

namespace xkde {

namespace {

namespace fs = std::filesystem;

/// Adds the sides of `other` to the rows of `file`, row by row. Files of one benchmark have the
/// same row order; a breach would pair an edit with the question of another one.
void join_rows(EditFile& file, const EditFile& other) {
  XKDE_CHECK(file.rows.size() == other.rows.size(), DataError, other.path.string(), ": expected ",
             file.rows.size(), " rows as in ", file.path.string(), ", found ", other.rows.size());
  for (size_t i = 0; i < file.rows.size(); ++i) {
    XKDE_CHECK(file.row_ids[i] == other.row_ids[i], DataError, other.path.string(), ": row ", i,
               ": expected the fact ", file.row_ids[i], " as in ", file.path.string(), ", found ",
               other.row_ids[i]);
    file.rows[i].sides.insert(other.rows[i].sides.begin(), other.rows[i].sides.end());
  }
  file.left_out.insert(other.left_out.begin(), other.left_out.end());
  for (const auto& [reason, count] : other.skipped) file.skipped[reason] += count;
}

std::string languages_found(const std::vector<EditRecord>& rows) {
  std::set<std::string> codes;
  for (const EditRecord& row : rows) {
    for (const auto& [code, side] : row.sides) codes.insert(code);
  }
  return codes.empty() ? "none" : fmt::format("{}", fmt::join(codes, ", "));
}

/// One name for one file, whatever leads to it.
fs::path known_as(const fs::path& path) {
  std::error_code error;
  fs::path canonical = fs::weakly_canonical(path, error);
  return error ? path : canonical;
}

/// The rows of `file` that have both languages; counts the others in `skipped`.
std::vector<const EditRecord*> complete_rows(const EditFile& file, const Language& edit,
                                             const Language& test,
                                             std::map<std::string, int64_t>& skipped) {
  std::vector<const EditRecord*> complete;
  for (size_t i = 0; i < file.rows.size(); ++i) {
    const EditRecord& row = file.rows[i];
    if (const auto reason = file.left_out.find(i); reason != file.left_out.end()) {
      ++skipped[reason->second];
      continue;
    }
    const Language* absent = nullptr;
    for (const Language* language : {&test, &edit}) {
      if (!row.sides.contains(language->iso)) absent = language;
    }
    if (absent != nullptr) {
      ++skipped["no language " + absent->iso];
    } else {
      complete.push_back(&row);
    }
  }
  return complete;
}

}  // namespace

/// What `read` gave when the file was as it is now; reads it where it was not read yet.
template <typename Key, typename Read>
auto& LoadedData::kept(std::map<Key, Entry<std::invoke_result_t<Read>>>& entries, const Key& key,
                       const fs::path& path, const Read& read) {
  std::error_code ignored;  // what cannot be looked at cannot be read either
  const State state{fs::file_size(path, ignored), fs::last_write_time(path, ignored)};
  const auto found = entries.find(key);
  if (found != entries.end() && found->second.state == state) return found->second.content;
  auto content = read();
  ++num_parsed_;
  auto& entry = entries[key];
  entry = {state, std::move(content)};
  return entry.content;
}

const EditFile& LoadedData::file(const BenchmarkSource& source, const fs::path& path) {
  return kept(files_, {source.read, known_as(path)}, path, [&] { return source.read(path); });
}

const std::vector<Conversation>& LoadedData::conversations(const fs::path& path) {
  return kept(conversations_, known_as(path), path, [&] { return read_conversations(path); });
}

EditDataset LoadedData::edits(const EditQuery& query) {
  const Language& edit = language_of(query.edit_language);
  const Language& test = language_of(query.test_language);
  EditDataset dataset;
  dataset.files = query.source.files(query.data, edit, test, query.split);
  const EditFile* rows = &file(query.source, dataset.files.front());
  EditFile joined;
  if (dataset.files.size() > 1) {
    joined = *rows;
    for (size_t i = 1; i < dataset.files.size(); ++i)
      join_rows(joined, file(query.source, dataset.files[i]));
    rows = &joined;
  }
  dataset.skipped = rows->skipped;
  const std::vector<const EditRecord*> complete = complete_rows(*rows, edit, test, dataset.skipped);
  XKDE_CHECK(!complete.empty(), DataError, rows->path.string(),
             ": expected rows with the languages ", edit.iso, " and ", test.iso,
             ", found rows with ", languages_found(rows->rows));
  const auto [first, last] = query.slice.range(std::ssize(complete));
  for (int64_t i = first; i < last; ++i)
    dataset.records.push_back(*complete[static_cast<size_t>(i)]);
  return dataset;
}

EditDataset LoadedData::all_edits(const BenchmarkSource& source, const fs::path& data) {
  EditDataset dataset;
  dataset.files = source.all_files(data);
  for (const fs::path& path : dataset.files) {
    const EditFile& read = file(source, path);
    for (const auto& [row, reason] : read.left_out) ++dataset.skipped[reason];
    for (const auto& [reason, count] : read.skipped) dataset.skipped[reason] += count;
    dataset.records.insert(dataset.records.end(), read.rows.begin(), read.rows.end());
  }
  return dataset;
}

}  // namespace xkde
