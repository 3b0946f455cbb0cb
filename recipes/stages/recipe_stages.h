#ifndef XKDE_RECIPES_STAGES_RECIPE_STAGES_H_
#define XKDE_RECIPES_STAGES_RECIPE_STAGES_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/io/json_file.h"
#include "recipes/stages/strict_map.h"

namespace xkde::recipe {

/// The values of every dtype key: "float32", "bfloat16".
extern const Names kDtypeNames;

/// Records of a benchmark in language pairs: what build_data reads and evaluate asks.
struct EditSelection {
  std::string benchmark;                    ///< as benchmark_from_name takes it
  std::filesystem::path data;               ///< a file or the benchmark's folder
  std::vector<std::string> edit_languages;  ///< codes as written, each of a known language
  std::vector<std::string> test_languages;
  std::string records;  ///< a slice that Slice::parse accepts; "" is all

  /// Reads its keys and leaves done() to the caller.
  void read(StrictMap& map);
};

/// One item of `build_data.sources`.
struct BuildDataSource : EditSelection {
  std::vector<std::string> questions{"src", "rephrase", "loc"};  ///< protocol 3.3

  static BuildDataSource parse(StrictMap map);
};

/// `build_data:` parallel edits to an XE-IT training set (protocol 3.3).
struct BuildDataStage {
  std::vector<BuildDataSource> sources;
  bool without_edit = false;
  int64_t max_samples = 0;  ///< 0: all

  static BuildDataStage parse(StrictMap map);
};

/// `sft:` XE-IT, full-parameter tuning. Defaults are those of the paper's own code (protocol 4.1)
/// unless a comment names another source.
struct SftStage {
  static constexpr std::string_view kBuiltData = "build_data";

  /// kBuiltData (of the nearest build_data stage above) or a file of protocol 1.5.
  std::string train_data{kBuiltData};
  double num_train_epochs = 5;
  int64_t max_steps = -1;  ///< -1: as many as the epochs take; 0: none
  int64_t per_device_train_batch_size = 1;
  int64_t gradient_accumulation_steps = 1;
  int64_t global_batch_size = 0;  ///< 0: the product of the two and the number of ranks
  double learning_rate = 1e-5;
  std::string lr_scheduler_type = "cosine";  ///< or linear, constant
  double warmup_steps = 0.05;                ///< below 1 a share of all steps, else their number
  double weight_decay = 1e-4;
  double adam_beta1 = 0.9;
  double adam_beta2 = 0.95;
  double adam_epsilon = 1e-8;
  double max_grad_norm = 1.0;
  /// Over the targets of the global batch (ours: exact over any split), or micro_batch: over
  /// micro-batches, then over their means (protocol Q30).
  std::string loss_reduction = "token_mean";
  bool packing = true;                 ///< ours: same losses, less padding
  bool token_tree = true;              ///< ours: same losses, shared prefixes computed once
  int64_t max_tokens_per_pack = 1024;  ///< ours
  bool labelled_head = true;           ///< ours: same losses, logits only where a label is
  /// How a conversation becomes ids and targets: ours, or xeit_v2 (encode_as_xeit_v2).
  std::string sample_format = "ours";
  bool train_on_end_of_turn = true;  ///< of sample_format ours
  int64_t max_length = 32768;
  std::string truncation = "end";               ///< or proportional (truncate_in_proportion)
  std::string last_batch = "short";             ///< of an epoch; or wrap: filled from its beginning
  int64_t save_steps = 0;                       ///< 0: only at the end
  int64_t save_total_limit = 2;                 ///< ours
  bool async_save = true;                       ///< ours: written beside the next steps
  bool keep_best = false;                       ///< ours: that of the lowest training loss, too
  std::string resume_from_checkpoint = "auto";  ///< ours; or never

  bool uses_built_data() const { return train_data == kBuiltData; }
  static SftStage parse(StrictMap map);
};

/// `evaluate:` token accuracy under teacher forcing (protocol 6.1).
struct EvaluateStage : EditSelection {
  std::string mode = "single";
  std::vector<int64_t> sizes{1};        ///< edits in memory at once
  int64_t max_tokens_per_batch = 2048;  ///< ours
  bool token_tree = true;               ///< ours: same predictions, common beginnings computed once

  static EvaluateStage parse(StrictMap map);
};

/// `export:` the model as a Hugging Face folder.
struct ExportStage {
  std::filesystem::path path;
  std::string dtype = "bfloat16";  ///< of the weights written, as the paper's models

  static ExportStage parse(StrictMap map);
};

using Stage = std::variant<BuildDataStage, SftStage, EvaluateStage, ExportStage>;

/// "build_data", "sft", "evaluate", "export".
std::string stage_name(const Stage& stage);
/// The names of the stages that this version runs, in the order of Stage.
std::vector<std::string> stage_names();
/// Names of stages that recipes may know one day.
std::vector<std::string> unavailable_stage_names();

/// Every key with the value that the stage will run with, in the order of docs/recipes.md. Reading
/// it again gives the same stage. With a global_batch_size the two keys that it replaces are left
/// out.
Json stage_json(const Stage& stage);

}  // namespace xkde::recipe

#endif  // XKDE_RECIPES_STAGES_RECIPE_STAGES_H_
