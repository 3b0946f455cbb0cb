#include "stages/recipe/recipe.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "core/base/error.h"
#include "core/text/chat_template.h"
#include "core/text/did_you_mean.h"
#include "core/text/regex/unicode.h"
#include "stages/recipe/expansion.h"
#include "stages/recipe/overrides.h"
#include "stages/recipe/recorded_recipe.h"
#include "stages/recipe/yaml_reader.h"

namespace xkde::recipe {
namespace {

constexpr Condition<int64_t> kPrefetch{"an integer from -1 to 8", {.least = -1, .most = 8}};
constexpr Condition<int64_t> kThreads{"an integer from 0 to 4096", {.least = 0, .most = 4096}};
constexpr Condition<int64_t> kCompareSteps{"an integer from 0 to 1000000",
                                           {.least = 0, .most = 1000000}};
// A thread's sleep and the system's clock take more without losing count.
constexpr double kWeek = 7 * 24 * 3600;
constexpr Condition<double> kTimeout{"seconds from 1 to 604800", {.least = 1, .most = kWeek}};
// Below 3 s one lost packet of a sound link is a lost host.
constexpr Condition<double> kHeartbeatTimeout{
    "0 or seconds from 3 to 604800", {.least = 0, .most = kWeek}, [](const double& value) {
      return value == 0 || value >= 3;
    }};
constexpr Condition<std::string> kRunName{
    "a name that is not empty and has no '/'",
    [](const std::string& name) { return !name.empty() && name.find('/') == std::string::npos; },
    "^[^/]+$"};

constexpr ForeignKeys kForeignTopKeys[] = {
    {"name project experiment wandb_run_name", "did you mean 'run_name'?"},
    {"data_seed", "did you mean 'seed'?"},
    {"log_interval logging_strategy", "did you mean 'logging_steps'?"},
    {"logging_dir", "did you mean 'report_to'?"},
    {"model_name_or_path dtype chat_template adapter", "it belongs to model"},
    {"torch_dtype bf16 fp16 tf32 pure_bf16 mixed_precision", "model.dtype says it"},
    {"template chat_template_path", "model.chat_template says it"},
    {"adapter_name_or_path", "model.adapter says it"},
    {"backend shard replicate recompute threads timeout", "it belongs to parallel"},
    {"gradient_checkpointing activation_checkpointing", "parallel.recompute says it"},
    {"fsdp fsdp_config deepspeed", "parallel.shard says it"},
    {"ddp_timeout", "parallel.timeout says it"},
    {"stage do_train do_eval do_predict", "stages is the list of what is done"},
    {"dataset dataset_dir data train_file train_data",
     "the stages name their data: train_data of sft, pairs of orpo, data of evaluate"},
    {"export_dir", "path of a stage export says it"},
    {"push_to_hub hub_model_id", "nothing is sent anywhere; a stage export writes the model"},
    {"learning_rate num_train_epochs max_steps per_device_train_batch_size "
     "gradient_accumulation_steps global_batch_size lr_scheduler_type warmup_steps optim "
     "weight_decay adam_beta1 adam_beta2 adam_epsilon max_grad_norm packing save_steps "
     "save_total_limit resume_from_checkpoint lora max_length beta eval_steps "
     "load_best_model_at_end evaluation_strategy eval_strategy save_strategy lr epochs num_epochs "
     "batch_size warmup_ratio cutoff_len finetuning_type lora_rank lora_alpha lora_target",
     "it belongs to a stage that trains, sft or orpo"},
};
constexpr ForeignKeys kForeignModelKeys[] = {
    {"name path model model_name model_path model_id pretrained_model_name_or_path base_model",
     "did you mean 'model_name_or_path'?"},
    {"torch_dtype precision bf16 fp16 pure_bf16", "did you mean 'dtype'?"},
    {"template chat_template_path", "did you mean 'chat_template'?"},
    {"adapter_name_or_path peft_model", "did you mean 'adapter'?"},
    {"load_in_8bit load_in_4bit quantization_bit quantization_config",
     "lora.base of a stage that trains says it, or a stage quantize"},
    {"device device_map",
     "mpirun sets the number of ranks, and parallel.shard of the recipe how "
     "the model is spread"},
    {"attn_implementation flash_attn use_flash_attention_2",
     "attention is computed in the fastest way that the device has"},
    {"tokenizer tokenizer_name tokenizer_name_or_path",
     "the tokenizer is that of model_name_or_path"},
    {"trust_remote_code", "no code of a model is ever run"},
};
constexpr ForeignKeys kForeignParallelKeys[] = {
    {"fsdp sharding_strategy zero_stage deepspeed", "did you mean 'shard'?"},
    {"gradient_checkpointing activation_checkpointing", "did you mean 'recompute'?"},
    {"ddp_timeout", "did you mean 'timeout'?"},
    {"ddp_backend", "did you mean 'backend'?"},
    {"num_processes nproc_per_node world_size num_gpus devices",
     "mpirun -n N or srun sets the number of ranks"},
};

/// The parser of the stage that a list's item names, or null after adding what is wrong with the
/// item.
const StageParser* parser_for(StrictMap& item, StageParsers parsers) {
  const std::vector<std::string> keys = item.keys();
  if (keys.size() != 1) {
    if (item.is_mapping()) {
      item.add_error("", concat("expected one stage (name: its keys, indented below it), found ",
                                keys.size(), " keys"));
    }
    return nullptr;
  }
  const std::string& name = keys.front();
  const auto found =
      std::find_if(parsers.begin(), parsers.end(),
                   [&name](const StageParser& parser) { return parser.name == name; });
  if (found != parsers.end()) return &*found;
  const std::vector<std::string> known = names_of(parsers);
  item.refuse(name, "unknown stage; expected " + alternatives(known) + did_you_mean(name, known));
  return nullptr;
}

/// A stage that reads what an earlier one wrote needs one above it.
void check_source(const Stage& stage, const std::vector<StagePtr>& above, StrictMap& map) {
  const std::optional<StageSource> source = stage.source();
  if (!source) return;
  const bool is_there = std::any_of(above.begin(), above.end(), [&](const StagePtr& earlier) {
    return earlier->name() == source->stage;
  });
  if (is_there) return;
  map.add_error(source->key, concat("expected a ", source->stage,
                                    " stage above this one, or a file, found none"));
}

/// The weights below an adapter are held in one form throughout a run.
void check_base(const Stage& stage, const std::vector<StagePtr>& above, StrictMap& map) {
  const auto form_of = [](const Stage& one) {
    return one.adapter() != nullptr ? one.adapter()->base : FrozenForm::kDtype;
  };
  for (const StagePtr& earlier : above) {
    const FrozenForm form = form_of(*earlier);
    if (earlier->adapter() != nullptr && stage.merges_into_any() && form != FrozenForm::kDtype) {
      map.add_error("path", concat("expected merge_into beside this key, as ", earlier->name(),
                                   ".lora.base is ", name_of(kFrozenForms, form),
                                   ", found none; export.adapter alone needs no merge"));
      return;
    }
    if (!earlier->changes_model() || !stage.changes_model() || form == form_of(stage)) continue;
    map.add_error(map.has("lora") ? "lora" : "",
                  concat("expected lora with base: ", name_of(kFrozenForms, form), ", as ",
                         earlier->name(), " has it above, found ",
                         stage.adapter() == nullptr
                             ? "no lora"
                             : concat("base: ", name_of(kFrozenForms, form_of(stage)))));
    return;
  }
}

void parse_stages(StrictMap& map, StageParsers parsers, Recipe& recipe) {
  std::vector<StrictMap> items = map.maps("stages");
  std::vector<std::string> names;
  for (const StrictMap& item : items) {
    const std::vector<std::string> keys = item.keys();
    names.push_back(keys.size() == 1 ? keys.front() : "");
  }
  // Of a stage of no known kind nobody can tell what it leaves to those below it.
  bool knows_above = true;
  for (size_t i = 0; i < items.size(); ++i) {
    const StageParser* parser = parser_for(items[i], parsers);
    if (parser == nullptr) {
      knows_above = false;
      continue;
    }
    const std::string name(parser->name);
    StrictMap body = items[i].map(name);
    // The shortest path that is also a valid override.
    if (std::count(names.begin(), names.end(), name) == 1) body.rename(name);
    recipe.origin.stage_paths.push_back(body.path());
    StrictMap checked = body;
    StagePtr stage = parser->parse(std::move(body));
    knows_above = knows_above && checked.knows("lora");
    if (knows_above) {
      check_source(*stage, recipe.stages, checked);
      check_base(*stage, recipe.stages, checked);
    }
    recipe.stages.push_back(std::move(stage));
  }
}

/// The program itself sends nothing anywhere.
constexpr ForeignName kOtherReporters[] = {
    {"wandb", "`python -m xkde_results wandb RUN` hands a run over (python/README.md)"},
    {"mlflow", "`python -m xkde_results mlflow RUN` hands a run over (python/README.md)"}};

/// All but the stages.
void each_top_key(StrictMap& map, Recipe& recipe) {
  map.optional("run_name", recipe.run_name, kRunName);
  map.optional("seed", recipe.seed, kNotNegative);
  if (map.reads()) recipe.output_dir = std::filesystem::path("runs") / recipe.run_name;
  map.optional("output_dir", recipe.output_dir);
  recipe.model.each_key(map.map("model"));
  recipe.parallel.each_key(map.map("parallel"));
  map.optional("logging_steps", recipe.logging_steps, kPositive);
  map.written_if(!recipe.report_to.empty(), "report_to", recipe.report_to, kReporters,
                 kOtherReporters);
  map.optional("rank_logs", recipe.rank_logs);
  map.optional("live_report", recipe.live_report);
  map.optional("verify_inputs", recipe.verify_inputs);
}

YamlPtr tree_of(std::string_view text, StageParsers parsers,
                const std::vector<std::string>& overrides, RecipeErrors& errors) {
  const YamlPtr root = recorded_recipe(read_yaml(text, errors), overrides);
  return apply_overrides(root, overrides, {recipe_keys(), names_of(parsers)}, errors);
}

}  // namespace

std::vector<std::string> names_of(StageParsers parsers) {
  std::vector<std::string> names;
  for (const StageParser& parser : parsers) names.emplace_back(parser.name);
  return names;
}

void ModelSection::each_key(StrictMap map) {
  map.required("model_name_or_path", model_name_or_path);
  map.optional("dtype", dtype, kDtypes);
  const std::vector<std::string_view> templates = ChatTemplate::keys();
  map.optional("chat_template", chat_template, Names{templates});
  map.written_if(!chat_date.empty(), "chat_date", chat_date);
  if (!chat_date.empty() && !jinja::parse_clock(chat_date)) {
    map.add_error("chat_date", concat("expected a day such as 2026-11-28, with a time behind it "
                                      "(14:05:59) or without, found ",
                                      chat_date));
  }
  map.written_if(!adapter.empty(), "adapter", adapter);
  map.refuse_foreign(kForeignModelKeys);
  map.done();
}

void ParallelSection::each_key(StrictMap map) {
  map.optional_or_auto("backend", backend, kBackends);
  map.optional_or_auto("shard", shard, dist::kShardPolicies);
  map.optional("replicate", replicate, kPositive);
  const bool shards = !shard || dist::policy_of(*shard).shards;
  if (!shards && replicate != 1) {
    map.add_error("replicate",
                  concat("expected no such key with shard: ", name_of(dist::kShardPolicies, *shard),
                         ", found ", replicate, "; every rank is a copy then"));
  }
  map.optional_or_auto("recompute", recompute, dist::kRecomputeNames);
  map.optional("prefetch", prefetch, kPrefetch);
  map.optional("grad_reduce_dtype", grad_reduce_dtype, kDtypes);
  map.optional("offload_optimizer", offload_optimizer);
  map.optional("deterministic", deterministic);
  map.optional("compare_copies", compare_copies, kCompareSteps);
  map.optional("threads", threads, kThreads);
  map.optional("timeout", timeout, kTimeout);
  map.optional("heartbeat_timeout", heartbeat_timeout, kHeartbeatTimeout);
  map.refuse_foreign(kForeignParallelKeys);
  map.done();
}

const std::string& Recipe::Origin::place_of(const std::string& path) const {
  const auto found = places.find(path);
  return found == places.end() ? file : found->second;
}

Json Recipe::schema(StageParsers parsers) {
  Json stage{{"type", "object"}, {"minProperties", 1}, {"maxProperties", 1}};
  for (const StageParser& parser : parsers)
    stage["properties"][std::string(parser.name)] = parser.schema();
  stage["additionalProperties"] = false;
  Json schema;
  StrictMap map = StrictMap::describing(schema);
  Recipe recipe;
  each_top_key(map, recipe);
  map.describe_as("stages", {{"type", "array"}, {"minItems", 1}, {"items", std::move(stage)}});
  schema["required"].emplace_back("stages");
  map.done();
  return schema;
}

Recipe Recipe::parse(StrictMap map, StageParsers parsers) {
  Recipe recipe;
  recipe.origin.file = map.file();
  recipe.run_name = std::filesystem::path(map.file()).stem().string();
  if (unicode::first_invalid_byte(recipe.run_name) != std::string::npos && !map.has("run_name")) {
    map.add_error("run_name",
                  "expected this key, as the recipe's own name is not UTF-8, found none");
  }
  each_top_key(map, recipe);
  parse_stages(map, parsers, recipe);
  map.refuse_foreign(kForeignTopKeys);
  map.done();
  return recipe;
}

FrozenForm Recipe::frozen_form() const {
  for (const StagePtr& stage : stages) {
    if (stage->adapter() != nullptr) return stage->adapter()->base;
  }
  return FrozenForm::kDtype;
}

size_t Recipe::stage_above(size_t index, std::string_view name) const {
  while (index-- > 0) {
    if (stages[index]->name() == name) return index;
  }
  throw InternalError(concat("recipe: no ", name, " stage above"));
}

std::vector<std::string> recipe_keys() {
  return {"run_name",  "seed",      "output_dir",  "model",         "parallel", "logging_steps",
          "report_to", "rank_logs", "live_report", "verify_inputs", "stages"};
}

YamlPtr recipe_tree(std::string_view text, const std::string& name, StageParsers parsers,
                    const std::vector<std::string>& overrides) {
  RecipeErrors errors(name);
  const YamlPtr root = tree_of(text, parsers, overrides, errors);
  errors.throw_if_any();
  return root;
}

Recipe parse_recipe(std::string_view text, const std::string& name, StageParsers parsers,
                    const std::vector<std::string>& overrides) {
  RecipeErrors errors(name);
  YamlPtr root = tree_of(text, parsers, overrides, errors);
  root = resolve_references(root, {recipe_keys(), names_of(parsers)}, errors);
  StrictMap::Places places;
  Recipe recipe = Recipe::parse(StrictMap(root, {1, 1}, "", errors, places), parsers);
  errors.throw_if_any();
  for (const auto& [path, place] : places) recipe.origin.places[path] = errors.text_of(place);
  return recipe;
}

Recipe read_recipe(const std::filesystem::path& file, StageParsers parsers,
                   const std::vector<std::string>& overrides) {
  return parse_recipe(read_recipe_text(file), file.string(), parsers, overrides);
}

Json resolved(const Recipe& recipe) {
  Json stages = Json::array();
  for (const StagePtr& stage : recipe.stages) {
    Json item = Json::object();
    item[std::string(stage->name())] = stage->keys();
    stages.push_back(std::move(item));
  }
  Json json;
  StrictMap map = StrictMap::writing(json);
  Recipe copy = recipe;
  each_top_key(map, copy);
  json["stages"] = std::move(stages);
  return json;
}

}  // namespace xkde::recipe
