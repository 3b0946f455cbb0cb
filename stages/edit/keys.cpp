#include "stages/edit/keys.h"

#include "core/data/benchmarks/benchmarks.h"
#include "core/data/language.h"
#include "stages/edit/editor_keys.h"
#include "stages/recipe/errors.h"
#include "stages/recipe/slice_key.h"

namespace xkde::recipe {

void EditStage::each_key(StrictMap map) {
  map.written_if(revert, "revert", revert);
  if (!map.knows("revert")) return;  // it says which keys there may be
  if (revert) return map.done();
  const auto names = benchmark_names(&BenchmarkSource::is_evaluated);
  each_edited_key(map, Names{names}, edits);
  map.required("method", method, kEditors);
  if (entry_of(kEditors, method).looks_up) {
    std::vector<std::string> writers;
    for (const EditorEntry& entry : kEditors) {
      if (!entry.looks_up) writers.emplace_back(entry.name);
    }
    map.refuse("method", concat("expected a method that writes into weights: ",
                                alternatives(writers), ", found ", name_of(kEditors, method),
                                ", whose edits are looked up beside them (evaluate.method)"));
  }
  if (map.describes()) {
    describe_editor(map);
    map.excuse("revert");
  } else {
    const bool is_known = map.knows("method");
    each_editor_key(map.map("editor"), is_known ? std::optional(method) : std::nullopt, editor);
  }
  map.done();
}

void EditStage::check_inputs(InputChecker& inputs) const {
  if (revert) return;
  bool opens = inputs.opens("data", edits.data, kEditData);
  if (!editor.covariance.empty())
    opens &= inputs.opens("editor.covariance", editor.covariance, "a file of second moments");
  if (!opens) return;
  inputs.reads("data", [&] {
    for (const std::string& language : edits.edit_languages)
      edits.load(language, language, Split::kTest, inputs.files());
  });
}

std::set<std::filesystem::path> EditStage::files() const {
  std::set<std::filesystem::path> files;
  if (revert) return files;
  for (const std::string& language : edits.edit_languages) {
    EditSelection one = edits;
    one.edit_languages = one.test_languages = {language};
    files.merge(one.files(Split::kTest));
  }
  if (!editor.covariance.empty()) files.insert(editor.covariance);
  return files;
}

}  // namespace xkde::recipe
