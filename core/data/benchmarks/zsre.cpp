#include <utility>

#include "core/data/benchmarks/edit_rows.h"
#include "core/data/benchmarks/knowedit.h"

namespace xkde {

namespace {

constexpr KnowEditLayout kLayout{.folder = "ZsRE", .test = {"ZsRE-test-all.json"}};

/// The rows of MEND's zsRE, which EasyEdit's examples name, ask `src`; those of KnowEdit `prompt`.
bool has_rows_of_mend(const Json& json) {
  return json.is_array() && !json.empty() && json.front().is_object() &&
         json.front().contains("src") && !json.front().contains("prompt");
}

EditFile read(const std::filesystem::path& path) {
  const Json json = read_json_file(path);
  if (!has_rows_of_mend(json)) return parse_knowedit(kLayout, path, json);
  const std::string name = path.string();
  EditFile file{.path = path};
  for (size_t i = 0; i < json.size(); ++i) {
    EditRecord record;
    record.index = static_cast<int64_t>(i);
    record.sides.emplace("en", parse_zsre_row(json[i], {name, i, ""}, file.skipped));
    file.rows.push_back(std::move(record));
    file.row_ids.emplace_back();
  }
  return file;
}

constexpr BenchmarkSource both_layouts() {
  BenchmarkSource zsre = knowedit_source<kLayout>("zsre");
  zsre.read = read;
  return zsre;
}

}  // namespace

/// KnowEdit's ZsRE, and EasyEdit's zsre_mend_eval_portability_gpt4.json. The train file has the
/// layout of bizsre_train.
extern const BenchmarkSource kZsre;
constinit const BenchmarkSource kZsre = both_layouts();

}  // namespace xkde
