#ifndef XKDE_STAGES_EVALUATE_KEYS_H_
#define XKDE_STAGES_EVALUATE_KEYS_H_

#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/evaluate/eval_options.h"
#include "core/io/json_file.h"
#include "stages/recipe/edit_selection.h"
#include "stages/recipe/stage.h"
#include "stages/recipe/strict_map.h"

namespace xkde::recipe {

/// `evaluate.retriever`: how facts are found in the edit memory (protocol 7.1).
struct RetrieverKeys {
  std::filesystem::path model_name_or_path;  ///< folder of a sentence encoder
  int64_t k = 1;                             ///< facts in a context, at most
  std::optional<double> threshold;           ///< least cosine; none: every question gets k; ours
  /// Before each question and each remembered text; none: the encoder's own prompts.
  std::optional<std::string> query_prefix, document_prefix;

  void each_key(StrictMap map);
};

/// `evaluate:` edits of a benchmark shown and asked (protocol 6, 7.1).
struct EvaluateStage final : Stage, EvalOptions {
  static constexpr std::string_view kName = "evaluate";

  std::optional<RetrieverKeys> retriever;
  static constexpr std::string_view kModels = "model";
  std::string chat_template{kModels};  ///< the recipe's model's, or as model.chat_template

  int64_t max_tokens_per_batch = 2048;  ///< our choice
  bool token_tree = true;  ///< computes common beginnings once; predictions stay the same; ours

  void each_key(StrictMap map);
  static EvaluateStage with_sections();

  std::string_view name() const override { return kName; }
  Json keys() const override { return written(*this); }
  void check_inputs(InputChecker& inputs) const override;
  std::set<std::filesystem::path> files() const override;
  std::vector<std::string_view> free_keys() const override { return {"judge.cache"}; }
  const EditSelection* asks() const override { return this; }
};

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_EVALUATE_KEYS_H_
