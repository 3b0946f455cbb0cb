#include "core/model/pretrained/peft_adapter.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <string_view>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/base/error.h"
#include "core/base/float_check.h"
#include "core/io/atomic_file.h"
#include "core/io/file.h"
#include "core/io/file_reader.h"
#include "core/io/json_file.h"
#include "core/model/families/config_reader.h"

namespace xkde {
namespace {

namespace fs = std::filesystem;

constexpr const char* kConfigFile = "adapter_config.json";
constexpr const char* kWeightsFile = "adapter_model.safetensors";
constexpr const char* kPickledFile = "adapter_model.bin";
constexpr int64_t kLargestRank = 65536;

/// What PEFT can do to an adapter beyond LoRA of whole layers, and the only value that we take.
struct PlainKey {
  const char* key;
  const char* value;  ///< as JSON; null and a missing key are taken, too
};
constexpr PlainKey kPlainKeys[] = {{"bias", "\"none\""},
                                   {"lora_bias", "false"},
                                   {"use_dora", "false"},
                                   {"use_qalora", "false"},
                                   {"fan_in_fan_out", "false"},
                                   {"modules_to_save", "null"},
                                   {"rank_pattern", "{}"},
                                   {"alpha_pattern", "{}"},
                                   {"target_parameters", "null"},
                                   {"layer_replication", "null"},
                                   {"kasa_config", "null"},
                                   {"use_bdlora", "null"},
                                   {"monteclora_config", "null"},
                                   {"velora_config", "null"},
                                   {"trainable_token_indices", "null"},
                                   {"arrow_config", "null"},
                                   {"alora_invocation_tokens", "null"}};

bool is_plain(const Json& value, std::string_view plain) {
  if (value.is_null() || value == Json::parse(plain)) return true;
  return (value.is_array() || value.is_object()) && value.empty();
}

/// Some of PEFT's ways to begin take a part out of the model's own weights, which we do not.
void check_begin(const Json& config, const std::string& file) {
  const auto found = config.find("init_lora_weights");
  if (found == config.end() || !found->is_string()) return;
  for (const char* kept : {"gaussian", "eva", "orthogonal"}) {
    if (*found == kept) return;
  }
  throw DataError(concat(file,
                         ": init_lora_weights: expected true, false, \"gaussian\", \"eva\" or "
                         "\"orthogonal\", found ",
                         found->dump()));
}

void check_plain(const Json& config, const std::string& file) {
  for (const auto& [key, plain] : kPlainKeys) {
    const auto found = config.find(key);
    if (found == config.end()) continue;
    XKDE_CHECK(is_plain(*found, plain), DataError, file, ": ", key, ": expected ", plain,
               ", found ", found->dump());
  }
}

/// "self_attn.q_proj" of "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight", as far
/// as the last part; empty: it is no such name.
std::string module_of(const std::string& tensor) {
  for (const std::string_view end : {".lora_A.weight", ".lora_B.weight"}) {
    if (tensor.ends_with(end))
      return lora_module_name(tensor.substr(0, tensor.size() - end.size()));
  }
  return {};
}

std::string in_words(const std::vector<int64_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

LoraOptions options_from(const Json& json, const std::string& file) {
  const ConfigReader reader(json, file);
  const std::string type = reader.string("peft_type");
  XKDE_CHECK(type == "LORA", DataError, file, ": peft_type: expected LORA, found ", type);
  check_plain(json, file);
  check_begin(json, file);
  LoraOptions options;
  options.r = reader.size("r");
  XKDE_CHECK(options.r <= kLargestRank, DataError, file, ": r: expected at most ", kLargestRank,
             ", found ", options.r);
  options.alpha = reader.number("lora_alpha");
  options.rslora = reader.boolean_or("use_rslora", false);
  const auto dropout = json.find("lora_dropout");
  if (dropout != json.end() && !dropout->is_null()) {
    XKDE_CHECK(dropout->is_number() && dropout->get<double>() >= 0 && dropout->get<double>() < 1,
               DataError, file, ": lora_dropout: expected a number in [0, 1), found ",
               dropout->dump());
    options.dropout = dropout->get<double>();
  }
  return options;
}

}  // namespace

std::vector<fs::path> PeftAdapter::files(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const char* name : {kConfigFile, kWeightsFile}) {
    const bool pickled = name == kWeightsFile && !is_there(folder / name, FileOrigin::kInput) &&
                         is_there(folder / kPickledFile, FileOrigin::kInput);
    XKDE_CHECK(
        !pickled, MissingInputError, (folder / name).string(),
        ": expected safetensors weights, found only pickled ones; load the adapter once with "
        "peft and save it with save_pretrained(), which writes safetensors");
    XKDE_CHECK(is_there(folder / name, FileOrigin::kInput), MissingInputError, folder.string(),
               ": expected a PEFT adapter with ", kConfigFile, " and ", kWeightsFile, ", found no ",
               name);
    files.push_back(folder / name);
  }
  return files;
}

PeftAdapter::PeftAdapter(LoraOptions options, SafetensorsFile file)
    : options_(std::move(options)), file_(std::move(file)) {
  const std::vector<SafetensorsFile::Tensor>& tensors = file_.tensors();
  std::set<std::string> modules;
  for (size_t i = 0; i < tensors.size(); ++i) {
    tensors_[tensors[i].name] = i;
    modules.insert(module_of(tensors[i].name));
  }
  modules.erase("");
  options_.target_modules.assign(modules.begin(), modules.end());
}

PeftAdapter PeftAdapter::open(const fs::path& folder, const ModelConfig& config) {
  const std::vector<fs::path> found = files(folder);
  const std::string file = found[0].string();
  PeftAdapter adapter(options_from(read_json_file(found[0]), file),
                      SafetensorsFile::open(found[1]));
  adapter.check_tensors(config);
  return adapter;
}

void PeftAdapter::check_tensors(const ModelConfig& config) const {
  const std::string file = file_.path().string();
  XKDE_CHECK(!options_.target_modules.empty(), DataError, file,
             ": expected lora_A and lora_B of at least one layer, found none");
  const std::vector<std::string> known = lora_modules(config, {});
  std::set<std::string> expected_names;
  LoraOptions options = options_;
  std::erase_if(options.target_modules, [&](const std::string& module) {
    return std::ranges::find(known, module) == known.end();
  });
  if (!options.target_modules.empty()) {
    for (const LoraBlock& block : lora_blocks(config, options)) {
      for (const LoraTensor& tensor : block.tensors) {
        const auto place = tensors_.find(tensor.name);
        XKDE_CHECK(place != tensors_.end(), DataError, file, ": tensor ", tensor.name,
                   ": expected it beside those of other layers, found none");
        const std::vector<int64_t>& shape = file_.tensors()[place->second].shape;
        XKDE_CHECK(shape == tensor.shape, DataError, file, ": tensor ", tensor.name, ": expected ",
                   in_words(tensor.shape), ", found ", in_words(shape));
        expected_names.insert(tensor.name);
      }
    }
  }
  for (const auto& [name, place] : tensors_) {
    XKDE_CHECK(expected_names.contains(name), DataError, file, ": tensor ", name,
               ": expected adapters of ", fmt::format("{}", fmt::join(known, ", ")), " in ",
               config.num_hidden_layers, " layers alone, found this one");
  }
}

void PeftAdapter::read(const std::string& name, int64_t first, std::span<float> out) const {
  file_.read_f32(file_.tensors()[tensors_.at(name)], first, out);
  const auto bad = first_not_below(out);
  XKDE_CHECK(!bad, DataError, file_.path().string(), ": tensor ", name,
             ": expected finite values, found ", out[*bad], " at element ",
             static_cast<size_t>(first) + *bad);
}

void write_peft_adapter(const fs::path& folder, const std::string& base_model,
                        const ModelConfig& config, const LoraOptions& options,
                        const std::function<void(const std::string&, std::span<float>)>& read) {
  std::error_code error;
  fs::create_directories(folder, error);
  XKDE_CHECK(!error, IoError, folder.string(),
             ": expected an empty folder or to create one, found ", error.message());
  XKDE_CHECK(entries_of(folder, FileOrigin::kOwn).empty(), IoError, folder.string(),
             ": expected an empty folder or to create one, found files in it");
  std::vector<TensorToWrite> tensors;
  for (const LoraBlock& block : lora_blocks(config, options)) {
    for (const LoraTensor& tensor : block.tensors) tensors.push_back({tensor.name, tensor.shape});
  }
  write_safetensors(
      folder / kWeightsFile, tensors, "F32", [&](const std::string& name, std::span<float> out) {
        read(name, out);
        const auto bad = first_not_below(out);
        XKDE_CHECK(!bad, NumericError, "export: tensor ", name, ": expected finite values, found ",
                   out[*bad], " at element ", *bad);
      });
  Json json{{"peft_type", "LORA"},
            {"task_type", "CAUSAL_LM"},
            {"base_model_name_or_path", base_model},
            {"inference_mode", true},
            {"r", options.r},
            {"lora_dropout", options.dropout},
            {"target_modules", lora_modules(config, options)},
            {"use_rslora", options.rslora},
            {"use_dora", false},
            {"bias", "none"},
            {"fan_in_fan_out", false},
            {"init_lora_weights", true}};
  // PEFT takes it for a whole number.
  const bool is_whole = options.alpha == std::floor(options.alpha) && options.alpha < 1e15;
  if (is_whole) {
    json["lora_alpha"] = static_cast<int64_t>(options.alpha);
  } else {
    json["lora_alpha"] = options.alpha;
  }
  write_file_atomically(folder / kConfigFile, json.dump(2) + "\n");
  sync_path(folder);
}

}  // namespace xkde
