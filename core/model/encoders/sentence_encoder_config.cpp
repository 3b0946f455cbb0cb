#include "core/model/encoders/sentence_encoder_config.h"

#include <algorithm>
#include <limits>
#include <string>

#include "core/base/error.h"
#include "core/base/limits.h"
#include "core/io/file_reader.h"
#include "core/io/json_file.h"

namespace xkde {
namespace {

namespace fs = std::filesystem;
constexpr int64_t kMost = std::numeric_limits<int32_t>::max();

EncoderFamily family_of(const JsonPlace& type) {
  const std::string& name = type.string();
  if (name == "bert") return EncoderFamily::kBert;
  if (name == "xlm-roberta") return EncoderFamily::kXlmRoberta;
  if (name != "mpnet") type.fail("\"bert\", \"xlm-roberta\" or \"mpnet\"");
  return EncoderFamily::kMpnet;
}

/// transformers reads the size of the table of distances but always counts with 32 of them.
void read_distances(const JsonPlace& root, SentenceEncoderConfig& config) {
  constexpr int64_t kBuckets = 32;
  const auto buckets = root.find("relative_attention_num_buckets");
  if (buckets && buckets->integer(1, kMost) != kBuckets) buckets->fail(std::to_string(kBuckets));
  config.distance_buckets = kBuckets;
}

void read_model(const fs::path& file, SentenceEncoderConfig& config) {
  const Json json = read_json_file(file);
  const JsonPlace root(json, file.string());
  config.family = family_of(root.object().at("model_type"));
  const bool mpnet = config.family == EncoderFamily::kMpnet;
  if (root.string_or("position_embedding_type", "absolute") != "absolute") {
    root.at("position_embedding_type").fail("\"absolute\"");
  }
  const auto size = [&](const char* key) { return root.at(key).integer(1, kMost); };
  config.vocab_size = size("vocab_size");
  config.hidden_size = size("hidden_size");
  config.num_layers = size("num_hidden_layers");
  config.num_heads = size("num_attention_heads");
  config.intermediate_size = size("intermediate_size");
  config.max_positions = size("max_position_embeddings");
  config.token_types = mpnet ? 0 : size("type_vocab_size");
  if (config.hidden_size % config.num_heads != 0) {
    root.at("hidden_size").fail(concat("a multiple of ", config.num_heads, " attention heads"));
  }
  if (const auto eps = root.find("layer_norm_eps")) {
    if (!eps->value().is_number()) eps->fail("a number");
    config.layer_norm_eps = eps->value().get<double>();
  }
  if (const auto activation = root.find("hidden_act")) {
    config.activation = activation_of(*activation);
  }
  if (config.family == EncoderFamily::kXlmRoberta) {
    const auto pad = root.find("pad_token_id");
    config.first_position = (pad ? pad->integer(0, kMost) : 1) + 1;
  }
  if (mpnet) {
    config.first_position = 2;  // in transformers it does not depend on pad_token_id
    read_distances(root, config);
  }
  // The distances of all pairs of tokens are one table.
  if (mpnet && config.max_positions > limits::kLongestWithDistances) {
    root.at("max_position_embeddings").fail(concat("at most ", limits::kLongestWithDistances));
  }
  config.max_length = config.max_positions - config.first_position;
  if (config.max_length < 2) root.at("max_position_embeddings").fail("room for two tokens");
}

/// One or the other: sentence-transformers could also join several.
void read_pooling(const fs::path& file, SentenceEncoderConfig& config) {
  const Json json = read_json_file(file);
  const JsonPlace root(json, file.string());
  const bool cls = root.object().boolean_or("pooling_mode_cls_token", false) ||
                   root.string_or("pooling_mode", "") == "cls";
  const bool mean = root.boolean_or("pooling_mode_mean_tokens", false) ||
                    root.string_or("pooling_mode", "") == "mean";
  for (const char* other : {"pooling_mode_max_tokens", "pooling_mode_mean_sqrt_len_tokens",
                            "pooling_mode_weightedmean_tokens", "pooling_mode_lasttoken"}) {
    if (root.boolean_or(other, false)) root.at(other).fail("false (only mean and cls are known)");
  }
  if (cls == mean) root.fail("exactly one of mean and cls pooling");
  config.pooling = cls ? Pooling::kCls : Pooling::kMean;
  config.files.push_back(file);
}

/// A module's folder below that of the encoder.
fs::path folder_of(const fs::path& folder, const JsonPlace& part) {
  const fs::path path = part.string_or("path", "");
  const bool leaves = path.is_absolute() || std::find(path.begin(), path.end(), "..") != path.end();
  if (leaves) part.at("path").fail("a folder inside");
  return path.empty() ? folder : folder / path;
}

/// Where the model itself lies.
fs::path transformer_folder(const fs::path& folder) {
  const fs::path file = folder / "modules.json";
  if (!is_there(file, FileOrigin::kInput)) return folder;
  const Json json = read_json_file(file);
  const JsonPlace modules(json, file.string());
  for (size_t i = 0; i < modules.array().size(); ++i) {
    if (modules.item(i).at("type").string().ends_with(".Transformer"))
      return folder_of(folder, modules.item(i));
  }
  return folder;
}

void read_modules(const fs::path& folder, SentenceEncoderConfig& config) {
  const fs::path file = folder / "modules.json";
  if (!is_there(file, FileOrigin::kInput)) {
    if (is_there(folder / "1_Pooling/config.json", FileOrigin::kInput)) {
      read_pooling(folder / "1_Pooling/config.json", config);
    }
    return;
  }
  const Json json = read_json_file(file);
  const JsonPlace modules(json, file.string());
  config.files.push_back(file);
  for (size_t i = 0; i < modules.array().size(); ++i) {
    const JsonPlace type = modules.item(i).at("type");
    const std::string& name = type.string();
    const fs::path inside = folder_of(folder, modules.item(i));
    if (name.ends_with(".Pooling")) {
      read_pooling(inside / "config.json", config);
    } else if (name.ends_with(".Normalize")) {
      config.normalize = true;
    } else if (!name.ends_with(".Transformer")) {
      type.fail("a Transformer, Pooling or Normalize module");
    }
  }
}

/// sentence_bert_config.json; without `max_seq_length` there the tokenizer's own length, where
/// sentence-transformers 6 writes it.
void read_lengths(SentenceEncoderConfig& config) {
  const fs::path file = config.folder / "sentence_bert_config.json";
  if (is_there(file, FileOrigin::kInput)) {
    const Json json = read_json_file(file);
    const JsonPlace root(json, file.string());
    config.files.push_back(file);
    config.lowercase = root.object().boolean_or("do_lower_case", false);
    if (const auto most = root.find("max_seq_length")) {
      config.max_length = std::min(config.max_length, most->integer(2, kMost));
      return;
    }
  }
  const fs::path tokenizer = config.folder / "tokenizer_config.json";
  if (!is_there(tokenizer, FileOrigin::kInput)) return;
  const Json json = read_json_file(tokenizer);
  const auto most = JsonPlace(json, tokenizer.string()).object().find("model_max_length");
  if (!most) return;
  // Where there is no limit it is 1e30.
  if (!most->value().is_number()) most->fail("a number");
  if (most->value().get<double>() >= static_cast<double>(config.max_length)) return;
  config.max_length = most->integer(2, kMost);
  config.files.push_back(tokenizer);
}

/// Of config_sentence_transformers.json, where there is one.
void read_prompts(const fs::path& folder, SentenceEncoderConfig& config) {
  const fs::path file = folder / "config_sentence_transformers.json";
  if (!is_there(file, FileOrigin::kInput)) return;
  const Json json = read_json_file(file);
  const JsonPlace root(json, file.string());
  const auto prompts = root.object().find("prompts");
  const auto named = [&prompts](const std::string& name) { return prompts->find(name); };
  const std::string by_default = root.string_or("default_prompt_name", "");
  if (prompts) {
    prompts->object();
    if (!by_default.empty()) config.text_prompt = prompts->at(by_default).string();
    // A query or document without a prompt of its own does not fall back on the default one.
    if (const auto query = named("query")) config.query_prompt = query->string();
    for (const char* name : {"corpus", "passage", "document"}) {  // the last one that is there
      if (const auto document = named(name)) config.document_prompt = document->string();
    }
  } else if (!by_default.empty()) {
    root.at("default_prompt_name").fail("a name among prompts");
  }
  if (!concat(config.text_prompt, config.query_prompt, config.document_prompt).empty())
    config.files.push_back(file);
}

}  // namespace

SentenceEncoderConfig SentenceEncoderConfig::from_folder(const fs::path& folder) {
  SentenceEncoderConfig config;
  config.folder = transformer_folder(folder);
  config.files = {config.folder / "config.json"};
  read_model(config.files.front(), config);
  read_modules(folder, config);
  read_lengths(config);
  read_prompts(folder, config);
  return config;
}

}  // namespace xkde
