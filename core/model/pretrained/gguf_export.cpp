#include "core/model/pretrained/gguf_export.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/base/error.h"
#include "core/base/float_check.h"
#include "core/base/log.h"
#include "core/io/file.h"
#include "core/io/float_formats.h"
#include "core/io/gguf.h"
#include "core/io/writers/gguf_writer.h"
#include "core/model/families/family.h"
#include "core/model/pretrained/gguf_rope.h"
#include "core/model/pretrained/gguf_weights.h"
#include "core/text/tokenizer/gguf_tokenizer.h"

namespace xkde {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPlace = "GGUF export: ";

/// A tensor of the file, and where its values come from.
struct FileTensor {
  GgufTensorToWrite file;
  UnitTensor model;  ///< of the model, where `values` is empty
  std::vector<float> values;
};

std::string known_architectures() {
  std::vector<std::string_view> names;
  for (const Family* family : families()) {
    if (!family->gguf_architecture.empty()) names.push_back(family->model_type);
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

void check_family(const ModelConfig& config) {
  XKDE_CHECK(!config.family->gguf_architecture.empty(), ConfigError, kPlace,
             "expected a model_type with GGUF names (", known_architectures(), "), found ",
             config.family->model_type, kGgufWayOut);
}

GgufMetadata metadata_of_config(const ModelConfig& config) {
  const std::string architecture(config.family->gguf_architecture);
  const auto key = [&](const char* suffix) { return architecture + "." + suffix; };
  GgufMetadata metadata;
  metadata.text("general.architecture", architecture);
  metadata.text("general.type", "model");
  metadata.count(key("context_length"), config.max_position_embeddings);
  metadata.count(key("embedding_length"), config.hidden_size);
  metadata.count(key("block_count"), config.num_hidden_layers);
  metadata.count(key("feed_forward_length"), config.intermediate_size);
  metadata.count(key("attention.head_count"), config.num_attention_heads);
  metadata.count(key("attention.head_count_kv"), config.num_key_value_heads);
  metadata.count(key("attention.key_length"), config.head_dim);
  metadata.count(key("attention.value_length"), config.head_dim);
  metadata.real(key("attention.layer_norm_rms_epsilon"), config.rms_norm_eps);
  metadata.count(key("vocab_size"), config.vocab_size);
  if (config.windows.window > 0) {
    metadata.count(key("attention.sliding_window"), config.windows.window);
  }
  if (config.attn_logit_softcapping > 0) {
    metadata.real(key("attn_logit_softcapping"), config.attn_logit_softcapping);
  }
  if (config.final_logit_softcapping > 0) {
    metadata.real(key("final_logit_softcapping"), config.final_logit_softcapping);
  }
  if (config.local_rope) metadata.real(key("rope.freq_base_swa"), config.local_rope->theta);
  add_gguf_rope(config, metadata);
  return metadata;
}

FileTensor vector_of(std::string_view name, std::vector<float> values) {
  return {{std::string(name), {std::ssize(values)}, "F32"}, {}, std::move(values)};
}

std::vector<FileTensor> tensors_in_file(const ModelConfig& config, GgufType type) {
  std::vector<FileTensor> tensors;
  for (auto& [name, values] : gguf_rope_tensors(config)) {
    tensors.push_back(vector_of(name, std::move(values)));
  }
  for (const UnitTensor& tensor : tensors_of(config)) {
    tensors.push_back(
        {{tensor.gguf_name, tensor.shape, gguf_tensor_type(config, tensor, type)}, tensor, {}});
  }
  return tensors;
}

std::vector<GgufTensorToWrite> headers_of(const std::vector<FileTensor>& tensors) {
  std::vector<GgufTensorToWrite> headers;
  for (const FileTensor& tensor : tensors) headers.push_back(tensor.file);
  return headers;
}

/// To GgufForm::kPairs from the order of transformers.
void join_pairs(std::span<float> values, int64_t rows, int64_t head_dim) {
  const std::vector<float> halves(values.begin(), values.end());
  const int64_t columns = std::ssize(values) / rows;
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t within = row % head_dim;
    const int64_t from = row - within + within % 2 * (head_dim / 2) + within / 2;
    std::copy_n(halves.begin() + from * columns, columns, values.begin() + row * columns);
  }
}

/// The smallest size that may not be in a tensor of this type: what bf16 rounds to infinity, and
/// for blocks what their half float scales may not reach.
float bound_of(std::string_view type) {
  constexpr uint32_t kRoundsUpInBf16 = 0x7f7f8000;
  constexpr float kLargestHalf = 65504.0F;
  if (type == "F32") return INFINITY;
  if (type == "BF16") return std::bit_cast<float>(kRoundsUpInBf16);
  return type == "Q5_1" ? kLargestHalf : kLargestHalf * 8.0F;  // Q5_1 holds a lowest number
}

void write_tensor(const GgufFileWriter& file, size_t index, const FileTensor& tensor,
                  const ModelConfig& config,
                  const std::function<void(const std::string&, std::span<float>)>& read_f32) {
  if (!tensor.values.empty()) {
    file.write(index, tensor.values);
    return;
  }
  std::vector<float> values(static_cast<size_t>(tensor.model.numel()));
  read_f32(tensor.model.name, values);
  const auto bad = first_not_below(values, bound_of(tensor.file.type));
  XKDE_CHECK(!bad, NumericError, "export: tensor ", tensor.model.name,
             ": expected finite values that ", tensor.file.type, " holds, found ", values[*bad],
             " at element ", *bad);
  if (tensor.model.gguf_form == GgufForm::kPairs) {
    join_pairs(values, tensor.model.shape.front(), config.head_dim);
  }
  if (tensor.model.gguf_form == GgufForm::kPlusOne) {
    for (float& value : values) value += 1.0F;
  }
  file.write(index, values);
}

/// Whether two values of a config.json say the same: GGUF rounds numbers to fp32.
bool agree(const Json& one, const Json& other) {
  if (one.is_number() && other.is_number()) {
    constexpr double kRounding = 1e-6;
    const double value = one.get<double>();
    return std::abs(value - other.get<double>()) <= kRounding * std::abs(value);
  }
  if (one.size() != other.size() || one.type() != other.type()) return one == other;
  if (one.is_object()) {
    for (const auto& [key, value] : one.items()) {
      if (!other.contains(key) || !agree(value, other.at(key))) return false;
    }
    return true;
  }
  if (!one.is_array()) return one == other;
  for (size_t i = 0; i < one.size(); ++i) {
    if (!agree(one[i], other[i])) return false;
  }
  return true;
}

/// Throws where a reader of the file would have another config. Ids are the tokenizer's business.
void check_same_config(const ModelConfig& config, const ModelConfig& read) {
  Json ours = config.to_json(Dtype::kFloat32);
  Json theirs = read.to_json(Dtype::kFloat32);
  for (Json* json : {&ours, &theirs}) {
    for (const char* id : {"bos_token_id", "eos_token_id", "pad_token_id"}) json->erase(id);
  }
  for (const auto& [key, value] : ours.items()) {
    const Json found = theirs.contains(key) ? theirs[key] : Json(nullptr);
    XKDE_CHECK(agree(value, found), ConfigError, kPlace,
               "expected a config that GGUF keys say, "
               "found ",
               key, " ", value.dump(), ", which reads back as ", found.dump(), kGgufWayOut);
  }
}

/// A folder of this process alone, removed at the end.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (fs::temp_directory_path() / "xkde-XXXXXX").string();
    XKDE_CHECK(::mkdtemp(name.data()) != nullptr, IoError, name,
               ": expected to make a temporary folder, found ", std::strerror(errno));
    path_ = name;
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() { try_remove_tree(path_); }
  const fs::path& path() const noexcept { return path_; }

 private:
  fs::path path_;
};

/// Writes what the config follows from to a small file, and reads it.
void check_config(const ModelConfig& config) {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "config.gguf";
  std::vector<FileTensor> tensors = tensors_in_file(config, GgufType::kBF16);
  // Of all matrices, the reader looks at the shape of the embedding and the names of the others.
  for (FileTensor& tensor : tensors) {
    if (tensor.values.empty() && tensor.model.role != TensorRole::kEmbedding) {
      tensor.file.shape = {1};
      tensor.file.type = "F32";
    }
  }
  std::string fault;
  try {
    GgufFileWriter file(path, metadata_of_config(config), headers_of(tensors));
    for (size_t i = 0; i < tensors.size(); ++i) {
      if (!tensors[i].values.empty()) file.write(i, tensors[i].values);
    }
    check_same_config(config, config_from_gguf(GgufFile::open(path.string() + ".tmp")));
    return;
  } catch (const DataError& error) {
    fault = error.what();
  }
  throw ConfigError(concat(kPlace,
                           "expected a config that GGUF keys say, found one that does not "
                           "read back: ",
                           fault, kGgufWayOut));
}

/// Returns what is left out.
std::vector<std::string> add_tokenizer(const ExportedModel& model, GgufMetadata& metadata) {
  GgufModelIds ids{.rows = model.config.vocab_size,
                   .bos = model.config.bos_token_id,
                   .pad = model.config.pad_token_id,
                   .ends = model.stop_ids};
  if (!model.config.eos_token_id.empty()) ids.eos = model.config.eos_token_id.front();
  if (!model.chat_template.empty()) metadata.text("tokenizer.chat_template", model.chat_template);
  return add_gguf_tokenizer(model.tokenizer, ids, metadata);
}

void check_rows(const ModelConfig& config, GgufType type) {
  for (const UnitTensor& tensor : tensors_of(config)) {
    const int64_t block = storage_format(gguf_tensor_type(config, tensor, type))->values;
    XKDE_CHECK(tensor.shape.back() % block == 0, ConfigError, kPlace,
               "expected rows of a multiple of ", block, " weights for ", name_of(kGgufTypes, type),
               ", found ", tensor.shape.back(), " in ", tensor.name, "; F32 and BF16 hold any");
  }
}

void check_model(const ModelConfig& config, GgufType type) {
  check_family(config);
  check_rows(config, type);
  check_config(config);
}

/// The number of the block, of "blk.N.NAME".
int64_t block_of(const std::string& gguf_name) { return std::stoll(gguf_name.substr(4)); }

/// Of these blocks Q4_K_M keeps values and `down` with more bits.
bool has_more_bits(int64_t block, int64_t blocks) {
  const int64_t eighth = blocks / 8;
  return block < eighth || block >= 7 * blocks / 8 || (block - eighth) % 3 == 2;
}

bool is_values(const UnitTensor& tensor) { return tensor.gguf_name.ends_with(".attn_v.weight"); }

/// Before rows are looked at.
std::string_view type_by_role(const ModelConfig& config, const UnitTensor& tensor, GgufType type) {
  const std::string_view most = entry_of(kGgufTypes, type).tensors;
  if (type != GgufType::kQ4_0 && type != GgufType::kQ4_K_M) return most;
  const bool is_output = tensor.role == TensorRole::kOutput ||
                         (tensor.role == TensorRole::kEmbedding && config.tie_word_embeddings);
  if (is_output) return "Q6_K";
  if (type == GgufType::kQ4_0) return most;
  const bool is_joined =
      tensor.role == TensorRole::kQkv && tensor.gguf_name.ends_with("qkv.weight");
  if (is_joined) return "Q5_K";
  if (!is_values(tensor) && tensor.role != TensorRole::kDown) return most;
  if (has_more_bits(block_of(tensor.gguf_name), config.num_hidden_layers)) return "Q6_K";
  constexpr int64_t kBlocksOf70B = 80;  // there eight heads share their values
  const bool is_70b =
      config.family == &family_named("llama") && config.num_hidden_layers == kBlocksOf70B;
  return is_70b && is_values(tensor) ? "Q5_K" : most;
}

}  // namespace

std::string_view gguf_tensor_type(const ModelConfig& config, const UnitTensor& tensor,
                                  GgufType type) {
  if (tensor.shape.size() < 2) return "F32";
  constexpr std::pair<std::string_view, std::string_view> kSmaller[] = {
      {"Q4_K", "Q5_0"}, {"Q5_K", "Q5_1"}, {"Q6_K", "Q8_0"}};
  const auto fits = [&](std::string_view name) {
    return tensor.shape.back() % storage_format(name)->values == 0;
  };
  std::string_view name = type_by_role(config, tensor, type);
  for (const auto& [large, small] : kSmaller) {
    if (name == large && !fits(name)) name = small;
  }
  return name;
}

void check_gguf_export(const ExportedModel& model, GgufType type) {
  check_model(model.config, type);
  GgufMetadata unused;
  for (const std::string& line : add_tokenizer(model, unused)) log::shared_warning(line);
}

void export_gguf(const fs::path& path, const ExportedModel& model, GgufType type,
                 const std::function<void(const std::string&, std::span<float>)>& read_f32) {
  check_model(model.config, type);
  GgufMetadata metadata = metadata_of_config(model.config);
  constexpr int64_t kQuantizationVersion = 2;
  metadata.count("general.file_type", entry_of(kGgufTypes, type).file_type);
  metadata.count("general.quantization_version", kQuantizationVersion);
  add_tokenizer(model, metadata);
  const std::vector<FileTensor> tensors = tensors_in_file(model.config, type);
  GgufFileWriter file(path, metadata, headers_of(tensors));
  file.reserve();
  for (size_t i = 0; i < tensors.size(); ++i) {
    write_tensor(file, i, tensors[i], model.config, read_f32);
  }
  file.publish();
}

}  // namespace xkde
