#include <utility>

#include "core/base/error.h"
#include "core/data/benchmarks/edit_folder.h"
#include "core/data/benchmarks/edit_rows.h"
#include "core/data/found_text.h"
#include "core/io/file_reader.h"

namespace xkde {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kLanguages[] = {"en", "zh"};
constexpr const char* kEnglish = "zsre_mend_train_10000.json";
constexpr const char* kChinese = "zsre_mend_train_10000_chinese.json";

std::vector<fs::path> files(const fs::path& data, const Language& edit, const Language& test,
                            Split) {
  if (!is_folder(data, FileOrigin::kInput)) return {data};
  std::vector<fs::path> files;
  for (const Language* language : {&edit, &test}) {
    XKDE_CHECK(language->iso == "en" || language->iso == "zh", ConfigError,
               "bizsre_train: expected English or Chinese, found ", language->english_name);
    const fs::path file = data / (language->iso == "en" ? kEnglish : kChinese);
    XKDE_CHECK(is_there(file, FileOrigin::kInput), MissingInputError, data.string(), ": no file ",
               file.filename().string());
    if (files.empty() || files.front() != file) files.push_back(file);
  }
  return files;
}

std::vector<fs::path> all_files(const fs::path& data) {
  return files_that_fit(data, ".json", [](const fs::path& file) {
    return file.filename() == kEnglish || file.filename() == kChinese;
  });
}

bool has_empty_alt(const Json& row) {
  if (!row.is_object()) return false;
  const auto alt = row.find("alt");
  return alt != row.end() && alt->is_string() && is_blank(alt->get_ref<const std::string&>());
}

/// One side a row: Chinese when the name ends in "_chinese", else English. Rows with an empty `alt`
/// are left out.
EditFile read(const fs::path& path) {
  const Json json = read_json_file(path);
  const std::string name = path.string();
  check_rows(json, name);
  const std::string iso = path.stem().string().ends_with("_chinese") ? "zh" : "en";
  EditFile file{.path = path};
  for (size_t i = 0; i < json.size(); ++i) {
    EditRecord record;
    record.index = static_cast<int64_t>(i);
    if (has_empty_alt(json[i])) {
      file.left_out[i] = "alt: empty";
    } else {
      record.sides.emplace(iso, parse_zsre_row(json[i], {name, i, ""}, file.skipped));
    }
    file.row_ids.emplace_back();  // nothing but its number ties a row to its twin
    file.rows.push_back(std::move(record));
  }
  return file;
}

}  // namespace

/// The train files of the original Bi-ZsRE (protocol 1.4), one for each of its two languages.
extern const BenchmarkSource kBizsreTrain;
constinit const BenchmarkSource kBizsreTrain{.name = "bizsre_train",
                                             .languages = kLanguages,
                                             .gives_demonstrations = true,
                                             .lists_questions = true,
                                             .files = files,
                                             .all_files = all_files,
                                             .read = read};

}  // namespace xkde
