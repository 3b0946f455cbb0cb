#include "core/base/error.h"
#include "core/data/benchmarks/edit_folder.h"
#include "core/data/benchmarks/edit_rows.h"
#include "core/io/file_reader.h"

namespace xkde {

namespace {

namespace fs = std::filesystem;

std::vector<fs::path> files(const fs::path& data, const Language&, const Language&, Split) {
  if (!is_folder(data, FileOrigin::kInput)) return {data};
  const fs::path file = data / "bizsre_test.json";
  XKDE_CHECK(is_there(file, FileOrigin::kInput), MissingInputError, data.string(),
             ": no file bizsre_test.json");
  return {file};
}

std::vector<fs::path> all_files(const fs::path& data) {
  return files_that_fit(data, ".json",
                        [](const fs::path& file) { return file.stem() == "bizsre_test"; });
}

}  // namespace

/// Bi-ZsRE (protocol 1.1): one file bizsre_test.json.
extern const BenchmarkSource kBizsre;
constinit const BenchmarkSource kBizsre{.name = "bizsre",
                                        .is_evaluated = true,
                                        .gives_demonstrations = true,
                                        .lists_questions = true,
                                        .files = files,
                                        .all_files = all_files,
                                        .read = read_parallel_file};

}  // namespace xkde
