#include "stages/pipeline/covered_keys.h"

#include <set>
#include <string_view>
#include <utility>

#include "core/base/dtype.h"
#include "core/base/error.h"
#include "core/data/benchmarks/benchmarks.h"
#include "core/model/pretrained/peft_adapter.h"
#include "stages/pipeline/stage_parsers.h"
#include "stages/recipe/recipe_inputs.h"
#include "stages/run/output_path.h"

namespace xkde::recipe {
namespace {

namespace fs = std::filesystem;

constexpr size_t kShownOfADigest = 12;
constexpr size_t kDigestLength = 64;

/// Adds a value under dotted keys: "a.b", and "a.0.b" where a list has mappings. A list of anything
/// else is one value.
void flatten(const Json& value, const std::string& key, Json& out) {
  const bool has_parts =
      value.is_object() || (value.is_array() && !value.empty() && value.front().is_object());
  if (!has_parts) {
    out[key] = value;
    return;
  }
  size_t index = 0;
  for (const auto& [name, part] : value.items()) {
    flatten(part, key + "." + (value.is_array() ? std::to_string(index) : name), out);
    ++index;
  }
}

/// Adds the digest of the file that a key names, or of those of its folder by their paths in it.
void add_files(const std::string& key, const fs::path& input, std::span<const fs::path> files,
               const DigestOf& digest_of, Json& out) {
  if (files.size() == 1) {
    out[key] = digest_of(files.front());
    return;
  }
  for (const fs::path& file : files)
    out[key + "." + file.lexically_relative(input).generic_string()] = digest_of(file);
}

bool is_below(const fs::path& file, const fs::path& input) {
  const fs::path relative = file.lexically_relative(input);
  return !relative.empty() && *relative.begin() != "..";
}

/// Puts what a stage's inputs hold in place of their paths.
void cover_inputs(const Stage& stage, const std::string& prefix, const DigestOf& digest_of,
                  Json& out) {
  const std::set<fs::path> files = stage.files();
  std::set<fs::path> left = files;
  for (const NamedPath& input : inputs_of(stage)) {
    std::vector<fs::path> own;
    for (const fs::path& file : files) {
      if (!is_below(file, input.path)) continue;
      own.push_back(file);
      left.erase(file);
    }
    if (own.empty()) continue;
    out.erase(prefix + input.key);
    add_files(prefix + input.key, input.path, own, digest_of, out);
  }
  for (const fs::path& file : left)
    out[prefix + "files." + file.filename().string()] = digest_of(file);
}

/// The folder that a stage writes, from the run's folder where it lies in it, so that a run may be
/// moved.
std::string covered_output(const fs::path& output, const fs::path& run) {
  const fs::path path = normalised(output);
  const fs::path base = normalised(run);
  return is_below(path, base) ? path.lexically_relative(base).string() : path.string();
}

/// Dotted keys with their defaults; the items of lists are all like the first.
Json defaults_of(const Stage& stage) {
  Json flat = Json::object();
  for (const StageParser& parser : kStageParsers) {
    if (parser.name == stage.name()) flatten(parser.defaults(), std::string(parser.name), flat);
  }
  return flat;
}

std::string with_first_items(std::string_view key) {
  std::string general;
  while (true) {
    const size_t dot = key.find('.');
    const std::string_view part = key.substr(0, dot);
    const bool is_index = !part.empty() && part.find_first_not_of("0123456789") == part.npos;
    general += is_index ? "0" : part;
    if (dot == key.npos) return general;
    general += '.';
    key.remove_prefix(dot + 1);
  }
}

}  // namespace

Json covered_keys(const Recipe& recipe, size_t index, std::span<const fs::path> model_files,
                  const DigestOf& digest_of) {
  const Stage& stage = *recipe.stages[index];
  const std::string prefix = std::string(stage.name()) + ".";
  Json covers{{"seed", recipe.seed},
              {"model.dtype", name_of(kDtypes, recipe.model.dtype)},
              {"model.chat_template", recipe.model.chat_template}};
  if (!recipe.model.chat_date.empty()) covers["model.chat_date"] = recipe.model.chat_date;
  add_files("model.files", recipe.model.model_name_or_path, model_files, digest_of, covers);
  if (!recipe.model.adapter.empty()) {
    add_files("model.adapter", recipe.model.adapter, PeftAdapter::files(recipe.model.adapter),
              digest_of, covers);
  }
  if (stage.changes_model())
    covers["parallel.grad_reduce_dtype"] = name_of(kDtypes, recipe.parallel.grad_reduce_dtype);
  flatten(stage.keys(), std::string(stage.name()), covers);
  // One form holds for the whole run, and for what is asked before anything is trained.
  covers.erase(prefix + "lora.base");
  if (recipe.frozen_form() != FrozenForm::kDtype)
    covers["lora.base"] = name_of(kFrozenForms, recipe.frozen_form());
  cover_inputs(stage, prefix, digest_of, covers);
  for (const NamedPath& output : stage.outputs())
    covers[prefix + output.key] = covered_output(output.path, recipe.output_dir);
  for (const std::string_view key : stage.free_keys()) covers.erase(concat(prefix, key));
  return covers;
}

Json asked_questions(const Recipe& recipe, const DigestOf& digest_of) {
  Json all = Json::array();
  for (const StagePtr& stage : recipe.stages) {
    const EditSelection* const asked = stage->asks();
    if (asked == nullptr) continue;
    Json one = selection_json(*asked);
    one.erase("data");
    // Of a set of one language every file is asked (build_data).
    const BenchmarkSource& source = benchmark_of(asked->benchmark);
    std::set<fs::path> files = asked->files(Split::kTest);
    if (source.has_one_language()) {
      for (const fs::path& file : source.all_files(asked->data)) files.insert(file);
    }
    for (const fs::path& file : files) one["files"].push_back(digest_of(file));
    all.push_back(std::move(one));
  }
  return all;
}

std::map<std::string, size_t> built_on(const Recipe& recipe, size_t index) {
  std::map<std::string, size_t> stages;
  if (const auto source = recipe.stages[index]->source())
    stages[concat("builds_on.", source->stage)] = recipe.stage_above(index, source->stage);
  for (size_t above = index; above-- > 0;) {
    if (!recipe.stages[above]->changes_model()) continue;
    stages["builds_on.weights"] = above;
    break;
  }
  return stages;
}

std::vector<KeyChange> changed_keys(const Json& before, const Json& now, const Stage& stage) {
  const Json defaults = defaults_of(stage);
  const Json none(Json::value_t::discarded);
  std::vector<KeyChange> changes;
  for (const auto& [key, value] : now.items()) {
    const auto old = before.find(key);
    if (old != before.end()) {
      if (*old != value) changes.push_back({key, *old, value});
      continue;
    }
    if (key == concat(stage.name(), ".", kLeftOut)) continue;
    const auto standard = defaults.find(with_first_items(key));
    if (standard == defaults.end() || *standard != value) changes.push_back({key, none, value});
  }
  for (const auto& [key, value] : before.items()) {
    if (!now.contains(key)) changes.push_back({key, value, none});
  }
  return changes;
}

std::string text_of(const KeyChange& change) {
  const auto shown = [](const Json& value) -> std::string {
    if (value.is_discarded()) return "none";
    if (!value.is_string()) return value.dump();
    const auto text = value.get<std::string>();
    const bool is_digest =
        text.size() == kDigestLength && text.find_first_not_of("0123456789abcdef") == text.npos;
    return is_digest ? text.substr(0, kShownOfADigest) : text.empty() ? "\"\"" : text;
  };
  return change.key + " " + shown(change.before) + " : " + shown(change.now);
}

}  // namespace xkde::recipe
