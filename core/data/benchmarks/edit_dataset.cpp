#include "core/data/benchmarks/edit_dataset.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <set>
#include <utility>

#include "core/base/error.h"
#include "core/data/benchmarks/edit_layout.h"
#include "core/io/json_file.h"

namespace xkde {

namespace {

constexpr std::array<std::pair<std::string_view, Benchmark>, 5> kBenchmarks{{
    {"bizsre", Benchmark::kBizsre},
    {"mzsre", Benchmark::kMzsre},
    {"bmike53", Benchmark::kBmike53},
    {"bizsre_train", Benchmark::kBizsreTrain},
    {"mzsre_train", Benchmark::kMzsreTrain},
}};

/// Adds the sides of `other` to the rows of `file`, row by row. Files of one benchmark have the
/// same row order; a breach would pair an edit with the question of another one.
void join_rows(EditFile& file, EditFile other) {
  XKDE_CHECK(file.rows.size() == other.rows.size(), DataError, other.path.string(), ": expected ",
             file.rows.size(), " rows as in ", file.path.string(), ", found ", other.rows.size());
  for (size_t i = 0; i < file.rows.size(); ++i) {
    XKDE_CHECK(file.row_ids[i] == other.row_ids[i], DataError, other.path.string(), ": row ", i,
               ": expected the fact ", file.row_ids[i], " as in ", file.path.string(), ", found ",
               other.row_ids[i]);
    file.rows[i].sides.merge(other.rows[i].sides);
  }
  file.left_out.merge(other.left_out);
}

std::string languages_found(const std::vector<EditRecord>& rows) {
  std::set<std::string> codes;
  for (const EditRecord& row : rows) {
    for (const auto& [code, side] : row.sides) codes.insert(code);
  }
  std::string text;
  for (const std::string& code : codes) text += (text.empty() ? "" : ", ") + code;
  return text.empty() ? "none" : text;
}

EditFile read_file(Benchmark benchmark, const std::filesystem::path& path) {
  if (benchmark == Benchmark::kMzsreTrain) return read_text_file(path);
  const Json json = read_json_file(path);
  return benchmark == Benchmark::kBizsreTrain ? parse_train_file(json, path)
                                              : parse_edit_file(json, path);
}

EditFile read_joined(Benchmark benchmark, const std::vector<std::filesystem::path>& paths) {
  EditFile file = read_file(benchmark, paths.front());
  for (size_t i = 1; i < paths.size(); ++i) join_rows(file, read_file(benchmark, paths[i]));
  return file;
}

std::optional<int64_t> parse_bound(std::string_view bound, std::string_view slice) {
  if (bound.empty()) return std::nullopt;
  int64_t value = 0;
  const auto [end, error] = std::from_chars(bound.data(), bound.data() + bound.size(), value);
  XKDE_CHECK(error == std::errc() && end == bound.data() + bound.size(), ConfigError,
             "slice: expected \"begin:end\" with integers or nothing on each side, found \"", slice,
             "\"");
  return value;
}

int64_t clamp_bound(int64_t bound, int64_t n) {
  return std::clamp<int64_t>(bound < 0 ? bound + n : bound, 0, n);
}

}  // namespace

Benchmark benchmark_from_name(std::string_view name) {
  std::string known;
  for (const auto& [key, benchmark] : kBenchmarks) {
    if (key == name) return benchmark;
    known += (known.empty() ? "" : ", ") + std::string(key);
  }
  throw ConfigError(concat("benchmark: expected one of ", known, ", found \"", name, "\""));
}

Slice Slice::parse(std::string_view text) {
  if (text.empty()) return {};
  const size_t colon = text.find(':');
  XKDE_CHECK(colon != std::string_view::npos, ConfigError,
             "slice: expected \"begin:end\", found \"", text, "\"");
  return {parse_bound(text.substr(0, colon), text), parse_bound(text.substr(colon + 1), text)};
}

std::pair<int64_t, int64_t> Slice::range(int64_t n) const {
  const int64_t first = clamp_bound(begin.value_or(0), n);
  const int64_t last = end ? clamp_bound(*end, n) : n;
  return {first, std::max(first, last)};
}

EditDataset load_edits(Benchmark benchmark, const std::filesystem::path& data,
                       std::string_view edit_language, std::string_view test_language,
                       const Slice& slice) {
  const Language& edit = language_of(edit_language);
  const Language& test = language_of(test_language);
  EditDataset dataset;
  dataset.files = find_edit_files(benchmark, data, edit, test);
  EditFile file = read_joined(benchmark, dataset.files);

  std::vector<EditRecord> complete;
  for (size_t i = 0; i < file.rows.size(); ++i) {
    EditRecord& row = file.rows[i];
    if (const auto reason = file.left_out.find(i); reason != file.left_out.end()) {
      ++dataset.skipped[reason->second];
      continue;
    }
    const Language* absent = nullptr;
    for (const Language* language : {&test, &edit}) {
      if (!row.sides.contains(language->iso)) absent = language;
    }
    if (absent != nullptr) {
      ++dataset.skipped["no language " + absent->iso];
    } else {
      complete.push_back(std::move(row));
    }
  }
  XKDE_CHECK(!complete.empty(), DataError, file.path.string(),
             ": expected rows with the languages ", edit.iso, " and ", test.iso,
             ", found rows with ", languages_found(file.rows));

  const auto [first, last] = slice.range(static_cast<int64_t>(complete.size()));
  dataset.records.assign(std::make_move_iterator(complete.begin() + first),
                         std::make_move_iterator(complete.begin() + last));
  return dataset;
}

EditDataset load_all_edits(Benchmark benchmark, const std::filesystem::path& data) {
  EditDataset dataset;
  dataset.files = all_edit_files(benchmark, data);
  for (const std::filesystem::path& path : dataset.files) {
    EditFile file = read_file(benchmark, path);
    for (const auto& [row, reason] : file.left_out) ++dataset.skipped[reason];
    for (EditRecord& record : file.rows) dataset.records.push_back(std::move(record));
  }
  return dataset;
}

}  // namespace xkde
