#include "core/model/pretrained/pretrained.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <utility>

#include "core/base/error.h"
#include "core/model/pretrained/folder_weights.h"
#include "core/model/pretrained/gguf_weights.h"

namespace xkde {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> weight_files(const fs::path& folder) {
  std::vector<fs::path> files = safetensors_files(folder);
  if (!files.empty()) return files;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const std::string extension = entry.path().extension().string();
    XKDE_CHECK(extension != ".bin" && extension != ".pt" && extension != ".pth", DataError,
               entry.path().string(),
               ": expected .safetensors weights, found a pickled file (convert it once with "
               "transformers: AutoModelForCausalLM.from_pretrained(DIR).save_pretrained(DIR))");
  }
  throw MissingInputError(
      folder.string() +
      ": expected model.safetensors or model.safetensors.index.json, found neither");
}

std::string read_text(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// A template in tokenizer_config.json is text, or a list of named ones.
std::string template_of(const fs::path& folder, const Json& config) {
  if (fs::exists(folder / "chat_template.jinja")) return read_text(folder / "chat_template.jinja");
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

std::string text_of(const std::vector<int64_t>& shape) {
  std::ostringstream text;
  text << '[';
  for (size_t i = 0; i < shape.size(); ++i) text << (i == 0 ? "" : ", ") << shape[i];
  text << ']';
  return text.str();
}

void check_tensors(const PretrainedModel& model) {
  std::set<std::string> known;
  for (const TensorShape& tensor : expected_tensors(model.config)) {
    known.insert(tensor.name);
    XKDE_CHECK(model.weights->has(tensor.name), DataError, model.path.string(),
               ": expected tensor ", tensor.name, " ", text_of(tensor.shape), ", found none");
    const std::vector<int64_t> found = model.weights->shape(tensor.name);
    XKDE_CHECK(found == tensor.shape, DataError, model.path.string(), ": tensor ", tensor.name,
               ": expected shape ", text_of(tensor.shape), ", found ", text_of(found));
  }
  for (const std::string& name : model.weights->names()) {
    const bool derived = name.ends_with("rotary_emb.inv_freq") ||
                         (model.config.tie_word_embeddings && name == "lm_head.weight");
    XKDE_CHECK(known.count(name) != 0 || derived, DataError, model.path.string(),
               ": expected only tensors of a ",
               model.config.family == ModelFamily::kLlama ? "llama" : "qwen2", " model, found ",
               name);
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
          .weights = open_gguf_weights(file, config),
          .files = {path}};
}

PretrainedModel open_folder(const fs::path& folder) {
  const fs::path config_file = folder / "config.json";
  ModelConfig config = ModelConfig::from_json(read_json_file(config_file), config_file.string());
  const fs::path tokenizer_file = folder / "tokenizer.json";
  const fs::path tokenizer_config_file = folder / "tokenizer_config.json";
  Json tokenizer_config;
  std::vector<fs::path> files = {config_file, tokenizer_file};
  if (fs::exists(tokenizer_config_file)) {
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

std::vector<TensorShape> expected_tensors(const ModelConfig& config) {
  const int64_t width = config.hidden_size;
  const int64_t inner = config.intermediate_size;
  const int64_t q = config.num_attention_heads * config.head_dim;
  const int64_t kv = config.num_key_value_heads * config.head_dim;
  std::vector<TensorShape> all = {{"model.embed_tokens.weight", {config.vocab_size, width}}};
  for (int64_t layer = 0; layer < config.num_hidden_layers; ++layer) {
    const std::string prefix = "model.layers." + std::to_string(layer) + ".";
    const auto add = [&](const std::string& name, std::vector<int64_t> shape) {
      all.push_back({prefix + name, std::move(shape)});
    };
    add("input_layernorm.weight", {width});
    add("self_attn.q_proj.weight", {q, width});
    add("self_attn.k_proj.weight", {kv, width});
    add("self_attn.v_proj.weight", {kv, width});
    if (config.attention_bias) {
      add("self_attn.q_proj.bias", {q});
      add("self_attn.k_proj.bias", {kv});
      add("self_attn.v_proj.bias", {kv});
    }
    add("self_attn.o_proj.weight", {width, q});
    if (config.attention_bias && config.family == ModelFamily::kLlama) {
      add("self_attn.o_proj.bias", {width});
    }
    add("post_attention_layernorm.weight", {width});
    add("mlp.gate_proj.weight", {inner, width});
    add("mlp.up_proj.weight", {inner, width});
    if (config.mlp_bias) {
      add("mlp.gate_proj.bias", {inner});
      add("mlp.up_proj.bias", {inner});
    }
    add("mlp.down_proj.weight", {width, inner});
    if (config.mlp_bias) add("mlp.down_proj.bias", {width});
  }
  all.push_back({"model.norm.weight", {width}});
  if (!config.tie_word_embeddings) all.push_back({"lm_head.weight", {config.vocab_size, width}});
  return all;
}

PretrainedModel open_pretrained(const fs::path& path) {
  XKDE_CHECK(fs::exists(path), MissingInputError, path.string(),
             ": expected a Hugging Face folder or a .gguf file, found nothing");
  PretrainedModel model = fs::is_directory(path) ? open_folder(path) : open_gguf(path);
  check_tensors(model);
  return model;
}

}  // namespace xkde
