#ifndef XKDE_STAGES_RECIPE_RECIPE_H_
#define XKDE_STAGES_RECIPE_RECIPE_H_

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/dtype.h"
#include "core/base/named.h"
#include "core/io/json_file.h"
#include "distributed/sharding/shard_policy.h"
#include "stages/recipe/stage.h"
#include "stages/recipe/strict_map.h"
#include "stages/recipe/yaml_reader.h"

namespace xkde::recipe {

/// The library that ranks talk through.
enum class Backend { kMpi, kNccl };
inline constexpr Named<Backend> kBackends[] = {{"mpi", Backend::kMpi}, {"nccl", Backend::kNccl}};

/// `model:`
struct ModelSection {
  std::filesystem::path model_name_or_path;  ///< a Hugging Face folder or a .gguf file
  Dtype dtype = Dtype::kBFloat16;      ///< of the computation, over fp32 masters (protocol 4.1)
  std::string chat_template = "auto";  ///< a key of ChatTemplate::select
  std::string chat_date;          ///< the day that strftime_now of a template tells; empty: none
  std::filesystem::path adapter;  ///< ours: a PEFT folder that goes with it; empty: none

  void each_key(StrictMap map);  ///< as of a stage (parser_of)
};

/// `parallel:` all of it ours; "auto" leaves a choice to the program.
struct ParallelSection {
  std::optional<Backend> backend;            ///< nothing: nccl on a GPU, else mpi
  std::optional<dist::ShardMode> shard;      ///< nothing: the planner chooses
  int64_t replicate = 1;                     ///< groups of ranks that hold the whole state
  std::optional<dist::Recompute> recompute;  ///< nothing: the planner chooses
  int64_t prefetch = -1;  ///< units gathered ahead; -1: 1 on a GPU, 0 on CPU ranks
  Dtype grad_reduce_dtype = Dtype::kFloat32;  ///< of gradients between ranks
  bool offload_optimizer = false;             ///< masters and moments in host memory
  /// On GPUs: sums in an order that does not change from run to run, nor with the layout of ranks.
  bool deterministic = false;
  int64_t compare_copies = 100;  ///< steps in which the copies' state is compared once; 0: never
  int64_t threads = 0;           ///< of a rank; 0: its share of the CPUs that it may use
  double timeout = 1800;         ///< seconds that a rank waits for the others in a collective
  double heartbeat_timeout = 9;  ///< seconds after which a silent host is lost; 0: never

  void each_key(StrictMap map);  ///< as of a stage (parser_of)
};

/// What follows a run beside its own files.
enum class Reporter { kTensorBoard };
inline constexpr Named<Reporter> kReporters[] = {{"tensorboard", Reporter::kTensorBoard}};

/// A whole recipe, overrides included. Paths are as expand_path() makes them; relative ones start
/// at the current folder.
struct Recipe {
  std::string run_name;              ///< default: the file's name without its suffix
  int64_t seed = 42;                 ///< transformers.TrainingArguments
  std::filesystem::path output_dir;  ///< default: runs/<run_name>
  ModelSection model;
  ParallelSection parallel;
  int64_t logging_steps = 10;       ///< steps between two lines on a screen that is no terminal
  std::vector<Reporter> report_to;  ///< transformers.TrainingArguments, which has "all"
  bool rank_logs = false;           ///< each rank writes what it says into a file of its own
  bool live_report = true;          ///< report.html is written anew while the run goes on
  /// Input files are read at every start to tell whether they changed, also those whose size, times
  /// and inode say that they did not.
  bool verify_inputs = false;
  std::vector<StagePtr> stages;  ///< at least one

  /// Where things are written, for messages about a value that was well formed but does not hold.
  struct Origin {
    std::string file;
    std::vector<std::string> stage_paths;       ///< "sft", or "stages.1.sft" when it is there twice
    std::map<std::string, std::string> places;  ///< path -> "file:line:column"

    /// The place of a path, the file when it was not given.
    const std::string& place_of(const std::string& path) const;
  };
  Origin origin;

  /// `map` is the whole recipe; the stages are read from it as well, by `parsers`. Mistakes go
  /// where the map's go.
  static Recipe parse(StrictMap map, StageParsers parsers);
  /// The JSON Schema of recipes with these stages, without descriptions. A recipe that it refuses
  /// is refused by the reader too, which knows more.
  static Json schema(StageParsers parsers);

  bool reports_to(Reporter reporter) const {
    return std::find(report_to.begin(), report_to.end(), reporter) != report_to.end();
  }
  /// How the run holds weights below an adapter; all stages that train one say the same.
  FrozenForm frozen_form() const;
  /// The index of the nearest stage called `name` above stage `index`. Throws InternalError where
  /// there is none: the reader refuses such recipes.
  size_t stage_above(size_t index, std::string_view name) const;
  /// The stages of type T, in order.
  template <class T>
  std::vector<const T*> stages_of() const {
    std::vector<const T*> found;
    for (const StagePtr& stage : stages) {
      if (const auto* one = dynamic_cast<const T*>(stage.get())) found.push_back(one);
    }
    return found;
  }
};

/// The keys of a recipe's top level, in order.
std::vector<std::string> recipe_keys();

/// The values of a recipe's text with the `overrides` in it, what a run wrote of itself included
/// (recorded_recipe); no key is looked at. Throws ConfigError with the mistakes of the YAML and of
/// the overrides' paths.
YamlPtr recipe_tree(std::string_view text, const std::string& name, StageParsers parsers,
                    const std::vector<std::string>& overrides);
/// Reads a recipe from its text; `name` begins the messages. The recipe may have the stages of
/// `parsers`. Throws ConfigError with every mistake of the text and of the `overrides`
/// (apply_overrides) at once.
Recipe parse_recipe(std::string_view text, const std::string& name, StageParsers parsers,
                    const std::vector<std::string>& overrides = {});
/// As above from a file. Throws MissingInputError when it can't be opened.
Recipe read_recipe(const std::filesystem::path& file, StageParsers parsers,
                   const std::vector<std::string>& overrides = {});

/// Every key with the value that the run will have, ordered as in docs/recipes.md; "stages" is a
/// list of {name: keys()}. Reading its dump as a recipe gives the same recipe.
Json resolved(const Recipe& recipe);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_RECIPE_RECIPE_H_
