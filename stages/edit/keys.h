#ifndef XKDE_STAGES_EDIT_KEYS_H_
#define XKDE_STAGES_EDIT_KEYS_H_

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/editing/editor_options.h"
#include "stages/recipe/edit_selection.h"
#include "stages/recipe/stage.h"
#include "stages/recipe/strict_map.h"

namespace xkde::recipe {

/// `edit:` writes edits of a benchmark into the weights that the stages below work with
/// (docs/decisions/0009-editors.md).
struct EditStage final : Stage {
  static constexpr std::string_view kName = "edit";

  bool revert = false;  ///< takes back all edits above instead; the other keys say nothing then
  EditSelection edits;  ///< test languages are the edit languages
  EditorKind method = EditorKind::kMemit;
  EditorOptions editor;

  void each_key(StrictMap map);

  std::string_view name() const override { return kName; }
  Json keys() const override { return written(*this); }
  void check_inputs(InputChecker& inputs) const override;
  std::set<std::filesystem::path> files() const override;
  bool changes_model() const override { return true; }
};

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_EDIT_KEYS_H_
