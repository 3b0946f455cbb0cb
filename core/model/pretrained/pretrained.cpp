#include "core/model/pretrained/pretrained.h"

#include <algorithm>
#include <set>
#include <utility>

#include "core/base/error.h"
#include "core/base/float_check.h"
#include "core/base/shape_text.h"
#include "core/io/file_reader.h"
#include "core/model/families/family.h"
#include "core/model/pretrained/folder_weights.h"
#include "core/model/pretrained/gguf_weights.h"

namespace xkde {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> weight_files(const fs::path& folder) {
  std::vector<fs::path> files = safetensors_files(folder);
  if (!files.empty()) return files;
  for (const fs::path& entry : entries_of(folder, FileOrigin::kInput)) {
    const std::string extension = entry.extension().string();
    XKDE_CHECK(extension != ".bin" && extension != ".pt" && extension != ".pth", DataError,
               entry.string(),
               ": expected .safetensors weights, found a pickled file (convert it once with "
               "transformers: AutoModelForCausalLM.from_pretrained(DIR).save_pretrained(DIR))");
  }
  throw MissingInputError(
      folder.string() +
      ": expected model.safetensors or model.safetensors.index.json, found neither");
}

/// A template in tokenizer_config.json is text, or a list of named ones.
std::string template_of(const fs::path& folder, const Json& config) {
  const fs::path file = folder / "chat_template.jinja";
  if (const auto text = text_if_there(file, FileOrigin::kInput)) return *text;
  if (!config.is_object() || !config.contains("chat_template")) return "";
  const Json& value = config["chat_template"];
  if (value.is_string()) return value.get<std::string>();
  if (value.is_array()) {
    for (const Json& entry : value) {
      if (entry.is_object() && entry.value("name", "") == "default") {
        return entry.value("template", "");
      }
    }
  }
  return "";
}

/// The first tensor that is missing ends the check: the config may promise any number of layers.
void check_tensors(const PretrainedModel& model) {
  std::set<std::string> known;
  for (int64_t i = 0; i < num_units(model.config); ++i) {
    for (const UnitTensor& tensor : unit_at(model.config, i).tensors) {
      known.insert(tensor.name);
      XKDE_CHECK(model.weights->has(tensor.name), DataError, model.path.string(),
                 ": expected tensor ", tensor.name, " ", shape_text(tensor.shape), ", found none");
      const std::vector<int64_t> found = model.weights->shape(tensor.name);
      XKDE_CHECK(found == tensor.shape, DataError, model.path.string(), ": tensor ", tensor.name,
                 ": expected shape ", shape_text(tensor.shape), ", found ", shape_text(found));
    }
  }
  // A tied model may have its output matrix on disk, too.
  for (const TensorSpec& spec : model.config.family->head) known.emplace(spec.name);
  for (const std::string& name : model.weights->names()) {
    XKDE_CHECK(known.count(name) != 0 || name.ends_with("rotary_emb.inv_freq"), DataError,
               model.path.string(), ": expected only tensors of a ",
               model.config.family->model_type, " model, found ", name);
  }
}

/// Every token that a text can give has a row in the embedding. More rows than tokens are usual.
void check_ids(const PretrainedModel& model) {
  const int64_t rows = model.config.vocab_size;
  const Tokenizer::LargestId largest = model.tokenizer.largest_id();
  if (largest.id < rows) return;
  const bool in_folder = is_folder(model.path, FileOrigin::kInput);
  const fs::path file = in_folder ? model.path / "tokenizer.json" : model.path;
  const std::string token =
      Json(largest.token.substr(0, 60)).dump(-1, ' ', false, Json::error_handler_t::replace);
  throw DataError(
      concat(file.string(), ": token ", token, ": expected an id below the ", rows,
             " rows of the embedding, found ", largest.id,
             "; add rows once with transformers: model.resize_token_embeddings(len(tokenizer))"));
}

PretrainedModel open_gguf(const fs::path& path) {
  auto file = std::make_shared<const GgufFile>(GgufFile::open(path));
  const ModelConfig config = config_from_gguf(*file);
  const std::string chat = file->has("tokenizer.chat_template")
                               ? file->string("tokenizer.chat_template")
                               : std::string();
  return {.path = path,
          .config = config,
          .tokenizer = Tokenizer::from_gguf(*file),
          .chat_template = chat,
          .weights = open_gguf_weights(file, config),
          .files = file->files()};
}

PretrainedModel open_folder(const fs::path& folder) {
  const fs::path config_file = folder / "config.json";
  ModelConfig config = ModelConfig::from_json(read_json_file(config_file), config_file.string());
  const fs::path tokenizer_file = folder / "tokenizer.json";
  const fs::path tokenizer_config_file = folder / "tokenizer_config.json";
  Json tokenizer_config;
  std::vector<fs::path> files = {config_file, tokenizer_file};
  if (is_there(tokenizer_config_file, FileOrigin::kInput)) {
    tokenizer_config = read_json_file(tokenizer_config_file);
    files.push_back(tokenizer_config_file);
  }
  const std::vector<fs::path> weights = weight_files(folder);
  files.insert(files.end(), weights.begin(), weights.end());
  return {.path = folder,
          .config = std::move(config),
          .tokenizer = Tokenizer::from_json(read_json_file(tokenizer_file), tokenizer_config,
                                            tokenizer_file.string()),
          .chat_template = template_of(folder, tokenizer_config),
          .weights = open_safetensors(weights),
          .files = std::move(files)};
}

}  // namespace

void read_finite_f32(const WeightFile& weights, const std::string& place, const std::string& name,
                     std::span<float> out) {
  weights.read_f32(name, out);
  const auto bad = first_not_below(out);
  XKDE_CHECK(!bad, DataError, place, ": tensor ", name, ": expected finite values, found ",
             out[*bad], " at element ", *bad);
}

PretrainedModel open_pretrained(const fs::path& path) {
  const PathKind kind = kind_at(path, FileOrigin::kInput);
  XKDE_CHECK(kind != PathKind::kNothing, MissingInputError, path.string(),
             ": expected a Hugging Face folder or a .gguf file, found nothing");
  PretrainedModel model = kind == PathKind::kFolder ? open_folder(path) : open_gguf(path);
  check_tensors(model);
  check_ids(model);
  return model;
}

}  // namespace xkde
