#include <utility>

#include "core/base/error.h"
#include "core/data/benchmarks/benchmark_source.h"
#include "core/data/benchmarks/edit_folder.h"
#include "core/data/found_text.h"
#include "core/io/file_reader.h"
#include "core/text/regex/unicode.h"

namespace xkde {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kBegin = "zsre_mend_train_", kEnd = "_10000.txt";

/// The language code in a file's name; empty for another name.
std::string code_of(const fs::path& path) {
  const std::string file = path.filename().string();
  if (!file.starts_with(kBegin) || !file.ends_with(kEnd) ||
      file.size() <= kBegin.size() + kEnd.size())
    return {};
  const std::string code = file.substr(kBegin.size(), file.size() - kBegin.size() - kEnd.size());
  return find_language(code) == nullptr ? std::string() : code;
}

std::vector<fs::path> files(const fs::path& data, const Language& edit, const Language& test,
                            Split) {
  if (!is_folder(data, FileOrigin::kInput)) return {data};
  std::vector<fs::path> files;
  for (const Language* language : {&edit, &test}) {
    fs::path found;
    for (const std::string& code : codes_of(*language)) {
      const fs::path file = data / concat(kBegin, code, kEnd);
      if (found.empty() && is_there(file, FileOrigin::kInput)) found = file;
    }
    XKDE_CHECK(!found.empty(), MissingInputError, data.string(), ": no file ", kBegin,
               language->file_code, kEnd);
    if (files.empty() || files.front() != found) files.push_back(found);
  }
  return files;
}

std::vector<fs::path> all_files(const fs::path& data) {
  return files_that_fit(data, ".txt", [](const fs::path& file) { return !code_of(file).empty(); });
}

/// "question<TAB>answer" a line; of several fields the first and the last. A line without a tab is
/// left out.
EditFile read(const fs::path& path) {
  const std::string name = path.string();
  const std::string code = code_of(path);
  XKDE_CHECK(!code.empty(), DataError, name,
             ": expected a file zsre_mend_train_{xx}_10000.txt of a known language");
  LineReader lines(path, FileOrigin::kInput);
  EditFile file{.path = path};
  for (std::string line; lines.next(line);) {
    if (line.ends_with('\r')) line.pop_back();
    const size_t row = file.rows.size();
    XKDE_CHECK(unicode::first_invalid_byte(line) == std::string_view::npos, DataError, name,
               ": line ", row + 1, ": expected UTF-8, found other bytes");
    EditRecord record;
    record.index = static_cast<int64_t>(row);
    const size_t tab = line.find('\t');
    EditSide side;
    side.src = line.substr(0, tab);
    if (tab != std::string::npos) side.alt = line.substr(line.rfind('\t') + 1);
    if (is_blank(side.src) || is_blank(side.alt)) {
      file.left_out[row] = tab == std::string::npos ? "no tab" : "question or answer: empty";
    } else {
      record.sides.emplace(language_of(code).iso, std::move(side));
    }
    file.row_ids.emplace_back();  // nothing but its number ties a line to its twin
    file.rows.push_back(std::move(record));
  }
  XKDE_CHECK(!file.rows.empty(), DataError, name, ": expected at least one line, found none");
  return file;
}

}  // namespace

/// The training side of MzsRE (protocol 1.2): a text file zsre_mend_train_{xx}_10000.txt for each
/// language.
extern const BenchmarkSource kMzsreTrain;
constinit const BenchmarkSource kMzsreTrain{.name = "mzsre_train",
                                            .gives_demonstrations = true,
                                            .lists_questions = true,
                                            .files = files,
                                            .all_files = all_files,
                                            .read = read};

}  // namespace xkde
