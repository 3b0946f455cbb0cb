#ifndef XKDE_STAGES_EVALUATE_KEYS_H_
#define XKDE_STAGES_EVALUATE_KEYS_H_

#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/io/json_file.h"
#include "stages/recipe/edit_selection.h"
#include "stages/recipe/stage.h"
#include "stages/recipe/strict_map.h"

namespace xkde::recipe {

/// `evaluate.retriever`: how facts are found in the edit memory (protocol 7.1).
struct RetrieverKeys {
  std::filesystem::path model_name_or_path;  ///< folder of a sentence encoder
  int64_t k = 1;                             ///< facts in a context, at most
  std::optional<double> threshold;           ///< ours: least cosine; none: every question gets k

  static RetrieverKeys parse(StrictMap map);
};

/// `evaluate.demonstrations`: what IKE and few-shot ReMaKE show before the fact (protocol 2.3,
/// 2.4), in the language pair that is evaluated.
struct DemonstrationKeys {
  std::string benchmark;
  std::filesystem::path data;
  std::string records;
  int64_t k = 16;

  static DemonstrationKeys parse(StrictMap map);
};

/// `evaluate:` edits of a benchmark shown and asked (protocol 6, 7.1).
struct EvaluateStage final : Stage, EditSelection {
  static constexpr std::string_view kName = "evaluate";

  std::string mode = "single";    ///< or batch, sequential
  std::vector<int64_t> sizes{1};  ///< edits in memory at once
  std::string eval_when = "end";  ///< of a stream; or immediate, at_sizes
  std::string memory = "pair";    ///< what shares one: a language pair, or all of a test_language
  std::optional<RetrieverKeys> retriever;

  std::string method = "xkde";  ///< or none, lte, ike, remake: how the edit is shown
  std::optional<DemonstrationKeys> demonstrations;
  std::string chat_template = "model";   ///< that of the recipe's model, or a key of its own
  std::string prompt_language = "test";  ///< or xk: Chinese unless English (Q1)
  std::string nq_prefix = "keep";        ///< or cut: "nq question: " before locality (Q16)
  std::string scoring = "xkde";          ///< token accuracy of protocol 6.1, or easyedit: of 6.2
  std::string averaging = "easyedit";    ///< of KnowEdit; or lte (Q27)

  std::vector<std::string> extra_metrics;  ///< beside token accuracy: fluency, f1, exact
  std::string f1_formula = "f1";           ///< or squared (Q21)
  bool base_locality = true;               ///< also against the model before training (Q17)
  int64_t max_new_tokens = 32;             ///< ours: of a free-running answer
  int64_t bootstrap_resamples = 1000;      ///< ours: of the 95 % intervals; 0: none

  int64_t max_tokens_per_batch = 2048;  ///< ours
  bool token_tree = true;               ///< ours: same predictions, common beginnings computed once

  bool wants(std::string_view extra_metric) const;
  /// Facts come out of a memory, and not straight from the record.
  bool retrieves() const { return mode != "single" && method != "none"; }
  /// What result rows call it: `method`, but "ice" for IKE without demonstrations, and
  /// "remake-zero" or "remake-few".
  std::string method_label() const;
  static EvaluateStage parse(StrictMap map);

  std::string_view name() const override { return kName; }
  Json keys() const override;
  void check_inputs(InputChecker& inputs) const override;
  std::set<std::filesystem::path> files() const override;
  const EditSelection* asks() const override { return this; }
  bool feeds_later_stages() const override { return false; }
};

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_EVALUATE_KEYS_H_
