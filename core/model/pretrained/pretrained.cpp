#include "core/model/pretrained/pretrained.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <set>
#include <utility>

#include "core/base/error.h"
#include "core/base/float_check.h"
#include "core/base/log.h"
#include "core/base/process_memory.h"
#include "core/base/shape_text.h"
#include "core/io/file_reader.h"
#include "core/model/families/family.h"
#include "core/model/pretrained/export.h"
#include "core/model/pretrained/folder_weights.h"
#include "core/model/pretrained/gguf_weights.h"
#include "core/text/chat_ids.h"
#include "core/text/tokenizer/sentencepiece_vocabulary.h"

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

/// tokenizer.json; tokenizer.model where that is not there.
fs::path tokenizer_file_of(const fs::path& folder) {
  const fs::path file = folder / "tokenizer.json";
  const fs::path pieces = folder / "tokenizer.model";
  if (is_there(file, FileOrigin::kInput)) return file;
  if (is_there(pieces, FileOrigin::kInput)) return pieces;
  throw MissingInputError(concat(file.string(), ": expected it or tokenizer.model, found neither"));
}

/// A model's folder, and the files of it that were there to be read: results follow from them.
class ModelFolder {
 public:
  explicit ModelFolder(fs::path path) : path_(std::move(path)) {}

  const fs::path& path() const noexcept { return path_; }
  const std::vector<fs::path>& files() const noexcept { return files_; }

  fs::path add(fs::path file) { return files_.emplace_back(std::move(file)); }
  Json json_if_there(const char* name) {
    const fs::path file = path_ / name;
    if (!is_there(file, FileOrigin::kInput)) return nullptr;
    return read_json_file(add(file));
  }
  std::optional<std::string> text_if_there(const char* name) {
    std::optional<std::string> text = xkde::text_if_there(path_ / name, FileOrigin::kInput);
    if (text) add(path_ / name);
    return text;
  }

 private:
  fs::path path_;
  std::vector<fs::path> files_;
};

/// The tokens that special_tokens_map.json names count where tokenizer_config.json does not
/// describe all that were added. Source: _from_pretrained of transformers 5.24
/// (tokenization_utils_base.py).
Json with_special_tokens(Json config, ModelFolder& folder) {
  if (config.is_object() && config.contains("added_tokens_decoder")) return config;
  const Json map = folder.json_if_there("special_tokens_map.json");
  if (!map.is_object()) return config;
  if (!config.is_object()) config = Json::object();
  for (const auto& [key, token] : map.items()) {
    const bool has_content = token.is_object() && token.contains("content");
    config[key] = has_content ? token["content"] : token;
  }
  return config;
}

/// A tokenizer.json with the tokens that `named` names and it does not have, behind all others, as
/// transformers adds them.
Json with_named_tokens(Json tokenizer, const Json& named) {
  static const Json::json_pointer kVocab("/model/vocab");
  const bool has_vocab = tokenizer.contains(kVocab) && tokenizer[kVocab].is_object();
  if (!has_vocab) return tokenizer;  // which is refused when it is read
  Json& added = tokenizer["added_tokens"];
  const Json& vocab = tokenizer[kVocab];
  std::set<std::string> known;
  auto next = static_cast<int64_t>(vocab.size());
  for (const Json& token : added) {
    const bool is_sound = token.is_object() && token.value("content", Json()).is_string() &&
                          token.value("id", Json()).is_number_integer();
    if (!is_sound) return tokenizer;  // as above
    known.insert(token["content"].get<std::string>());
    next = std::max(next, token["id"].get<int64_t>() + 1);
  }
  for (const char* key : {"bos_token", "eos_token", "unk_token", "sep_token", "pad_token",
                          "cls_token", "mask_token"}) {
    const Json token = named.value(key, Json());
    if (!token.is_string() || token == "") continue;
    const auto content = token.get<std::string>();
    if (vocab.contains(content) || !known.insert(content).second) continue;
    added.push_back({{"id", next++},
                     {"content", content},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", true}});
  }
  return tokenizer;
}

Tokenizer open_tokenizer(ModelFolder& folder, const fs::path& file, const Json& config) {
  const std::string name = file.string();
  const Json named = with_special_tokens(config, folder);
  if (file.extension() == ".json") {
    Json tokenizer = read_json_file(file);
    if (named != config) tokenizer = with_named_tokens(std::move(tokenizer), named);
    return Tokenizer::from_json(tokenizer, named, name);
  }
  const TokenizerFiles files = tokenizer_files_from_sentencepiece(
      read_text(file, FileOrigin::kInput), named, folder.json_if_there("added_tokens.json"), name);
  return Tokenizer::from_json(files.tokenizer, files.config, name);
}

/// Of generation_config.json, whose end tokens count.
Json generation_config_of(ModelFolder& folder) {
  const fs::path file = folder.path() / "generation_config.json";
  Json json = folder.json_if_there("generation_config.json");
  if (json.is_null()) return json;
  XKDE_CHECK(json.is_object(), DataError, file.string(), ": expected an object, found ",
             json.dump().substr(0, 60));
  const Json ends = json.value("eos_token_id", Json(nullptr));
  const auto is_id = [](const Json& id) {
    return id.is_number_integer() && id.get<int64_t>() >= 0;
  };
  const bool are_ids = ends.is_array() ? std::all_of(ends.begin(), ends.end(), is_id)
                                       : ends.is_null() || is_id(ends);
  XKDE_CHECK(are_ids, DataError, file.string(),
             ": eos_token_id: expected a token id or a list of them, found ", ends.dump());
  return json;
}

/// A template has a file of its own, today or as transformers 4 wrote it for some; one in
/// tokenizer_config.json is text, or a list of named ones.
std::string template_of(ModelFolder& folder, const Json& config) {
  if (const auto text = folder.text_if_there("chat_template.jinja")) return *text;
  const Json old = folder.json_if_there("chat_template.json");
  if (old.is_object() && old.contains("chat_template") && old["chat_template"].is_string())
    return old["chat_template"].get<std::string>();
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

/// Names the tensors that no model of this config has, which nothing reads.
void warn_of_others(const PretrainedModel& model, const std::set<std::string>& known) {
  constexpr size_t kMostNames = 5;
  std::vector<std::string> others;
  for (const std::string& name : model.weights->names()) {
    const bool is_derived = name.ends_with("rotary_emb.inv_freq");
    if (!known.contains(name) && !is_derived) others.push_back(name);
  }
  if (others.empty()) return;
  const size_t shown = std::min(kMostNames, others.size());
  std::string names;
  for (size_t i = 0; i < shown; ++i) names += concat(i == 0 ? "" : ", ", others[i]);
  if (shown < others.size()) names += concat(" and ", others.size() - shown, " more");
  log::shared_warning(concat(model.path.string(), ": left out what a ",
                             model.config.family->model_type,
                             " model of this config does not have: ", names));
}

/// The first tensor that is missing ends the check: the config may promise any number of layers.
void check_tensors(const PretrainedModel& model) {
  std::set<std::string> known;
  for (int64_t i = 0; i < num_units(model.config); ++i) {
    for (const UnitTensor& tensor : unit_at(model.config, i).tensors) {
      known.insert(tensor.name);
      XKDE_CHECK(model.weights->has(tensor.name), DataError, model.path.string(),
                 ": expected tensor ", tensor.name, " ", shape_text(tensor.shape), ", found none");
      // Packed numbers have other shapes, too: say first that they cannot be read.
      model.weights->check_readable(tensor.name);
      const std::vector<int64_t> found = model.weights->shape(tensor.name);
      XKDE_CHECK(found == tensor.shape, DataError, model.path.string(), ": tensor ", tensor.name,
                 ": expected shape ", shape_text(tensor.shape), ", found ", shape_text(found));
    }
  }
  // A tied model may have its output matrix on disk, too.
  for (const TensorSpec& spec : model.config.family->head) known.emplace(spec.name);
  warn_of_others(model, known);
}

/// The Hugging Face name of the first tensor that has this role; empty: there is none.
std::string name_of(TensorRole role, std::span<const TensorSpec> specs) {
  for (const TensorSpec& spec : specs) {
    if (spec.role == role) return std::string(spec.name);
  }
  return {};
}

/// A config may call a model tied whose folder has a head of its own, which is then what counts.
void untie_own_head(PretrainedModel& model) {
  if (!model.config.tie_word_embeddings) return;
  const std::string head = name_of(TensorRole::kOutput, model.config.family->head);
  const std::string embedding = name_of(TensorRole::kEmbedding, model.config.family->embedding);
  if (!model.weights->has(head) || !model.weights->has(embedding)) return;
  if (model.weights->holds_same(head, embedding)) return;
  model.config.tie_word_embeddings = false;
  log::shared_warning(concat(model.path.string(), ": config.json says tie_word_embeddings, but ",
                             head, " and ", embedding, " differ: they are read as two"));
}

/// Every token that a text can give has a row in the embedding. More rows than tokens are usual.
void check_ids(const PretrainedModel& model) {
  const int64_t rows = model.config.vocab_size;
  const Tokenizer::LargestId largest = model.tokenizer.largest_id();
  if (largest.id < rows) return;
  const bool in_folder = is_folder(model.path, FileOrigin::kInput);
  const fs::path file = in_folder ? tokenizer_file_of(model.path) : model.path;
  const std::string token =
      Json(largest.token.substr(0, 60)).dump(-1, ' ', false, Json::error_handler_t::replace);
  throw DataError(
      concat(file.string(), ": token ", token, ": expected an id below the ", rows,
             " rows of the embedding, found ", largest.id,
             "; add rows once with transformers: model.resize_token_embeddings(len(tokenizer))"));
}

/// Tensors decide whether a model is quantized, as some keep the key when they no longer are. What
/// cannot be decoded is refused by its dtype; here those that have other tensors in their place.
void check_quantization(const Json& json, const std::string& name, const ModelConfig& config,
                        const WeightFile& weights) {
  if (!json.contains("quantization_config") || !json["quantization_config"].is_object()) return;
  for (const UnitTensor& tensor : unit_at(config, 1).tensors) {
    XKDE_CHECK(weights.has(tensor.name), DataError, name,
               ": quantization_config: expected weights in full precision, found ",
               json["quantization_config"].value("quant_method", Json("some method")).dump(),
               " and no tensor ", tensor.name,
               "; take the model's folder in bf16 or one of its GGUF files");
  }
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
          .generation_config = nullptr,
          .weights = open_gguf_weights(file, config),
          .files = file->files()};
}

PretrainedModel open_folder(const fs::path& path) {
  ModelFolder folder(path);
  const fs::path config_file = folder.add(path / "config.json");
  const Json json = read_json_file(config_file);
  ModelConfig config = ModelConfig::from_json(json, config_file.string());
  const fs::path tokenizer_file = folder.add(tokenizer_file_of(path));
  const Json tokenizer_config = folder.json_if_there("tokenizer_config.json");
  Tokenizer tokenizer = open_tokenizer(folder, tokenizer_file, tokenizer_config);
  std::string chat_template = template_of(folder, tokenizer_config);
  Json generation_config = generation_config_of(folder);
  const std::vector<fs::path> weights = weight_files(path);
  for (const fs::path& file : weights) folder.add(file);
  std::unique_ptr<WeightFile> tensors = open_safetensors(weights);
  check_quantization(json, config_file.string(), config, *tensors);
  return {.path = path,
          .config = std::move(config),
          .tokenizer = std::move(tokenizer),
          .chat_template = std::move(chat_template),
          .generation_config = std::move(generation_config),
          .weights = std::move(tensors),
          .files = folder.files()};
}

}  // namespace

std::vector<int64_t> PretrainedModel::stop_ids(const ChatTemplate& format) const {
  std::vector<int64_t> ids = config.eos_token_id;
  const std::vector<int64_t> ends = end_ids_of(generation_config);
  ids.insert(ids.end(), ends.begin(), ends.end());
  if (const auto end = end_of_turn_id(tokenizer, format)) ids.push_back(*end);
  if (const auto eos = tokenizer.eos_id()) ids.push_back(*eos);
  return ids;
}

void WeightFile::read_blocks(const std::string& name, std::span<std::byte> /*out*/) const {
  throw InternalError(concat("tensor ", name, " has no blocks"));
}

void read_finite_f32(const WeightFile& weights, const std::string& place, const std::string& name,
                     int64_t first, std::span<float> out) {
  weights.read_f32(name, first, out);
  const auto bad = first_not_below(out);
  XKDE_CHECK(!bad, DataError, place, ": tensor ", name, ": expected finite values, found ",
             out[*bad], " at element ", static_cast<size_t>(first) + *bad);
}

ModelTemplate own_template(const PretrainedModel& model, const std::string& date) {
  ModelTemplate own{.source = model.chat_template,
                    .tokens = {},
                    .clock = date.empty() ? std::nullopt : jinja::parse_clock(date)};
  const Json config = model.tokenizer.to_tokenizer_config();
  for (const auto& [name, value] : config.items()) {
    if (!name.ends_with("_token")) continue;
    if (value.is_string()) own.tokens[name] = value.get<std::string>();
    if (value.is_object() && value.contains("content") && value["content"].is_string())
      own.tokens[name] = value["content"].get<std::string>();
  }
  return own;
}

PretrainedModel open_pretrained(const fs::path& path) {
  const PathKind kind = kind_at(path, FileOrigin::kInput);
  XKDE_CHECK(kind != PathKind::kNothing, MissingInputError, path.string(),
             ": expected a Hugging Face folder or a .gguf file, found nothing");
  PretrainedModel model = kind == PathKind::kFolder ? open_folder(path) : open_gguf(path);
  untie_own_head(model);
  check_tensors(model);
  check_ids(model);
  return_free_memory();  // that of the parts of a vocabulary: weights need other blocks
  return model;
}

}  // namespace xkde
