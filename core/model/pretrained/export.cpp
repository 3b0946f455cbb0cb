#include "core/model/pretrained/export.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <system_error>
#include <vector>

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/base/float_check.h"
#include "core/io/atomic_file.h"
#include "core/io/file.h"
#include "core/io/file_reader.h"
#include "core/io/safetensors.h"
#include "core/model/families/family.h"
#include "core/model/pretrained/pretrained.h"

namespace xkde {
namespace {

namespace fs = std::filesystem;

struct Shard {
  std::vector<TensorToWrite> tensors;
  int64_t bytes = 0;
};

std::vector<Shard> cut_into_shards(const std::vector<UnitTensor>& tensors, int64_t width,
                                   int64_t max_bytes) {
  std::vector<Shard> shards(1);
  for (const UnitTensor& tensor : tensors) {
    const int64_t bytes = width * tensor.numel();
    if (!shards.back().tensors.empty() && shards.back().bytes + bytes > max_bytes) {
      shards.emplace_back();
    }
    shards.back().tensors.push_back({tensor.name, tensor.shape});
    shards.back().bytes += bytes;
  }
  return shards;
}

std::string shard_name(size_t index, size_t count) {
  if (count == 1) return "model.safetensors";
  return fmt::format("model-{:05}-of-{:05}.safetensors", index + 1, count);
}

/// The smallest size that `dtype` rounds to infinity.
float bound_of(Dtype dtype) {
  constexpr uint32_t kRoundsUpInBf16 = 0x7f7f8000;
  return dtype == Dtype::kFloat32 ? INFINITY : std::bit_cast<float>(kRoundsUpInBf16);
}

void write_weights(const fs::path& folder, const ModelConfig& config, Dtype dtype,
                   const std::function<void(const std::string&, std::span<float>)>& read_f32,
                   int64_t max_shard_bytes) {
  const DtypeEntry& stored = entry_of(kDtypes, dtype);
  const std::vector<Shard> shards =
      cut_into_shards(tensors_of(config), stored.bytes, max_shard_bytes);
  Json map = Json::object();
  int64_t total = 0;
  for (size_t i = 0; i < shards.size(); ++i) {
    const std::string name = shard_name(i, shards.size());
    write_safetensors(folder / name, shards[i].tensors, std::string(stored.storage_name),
                      [&](const std::string& tensor, std::span<float> out) {
                        read_f32(tensor, out);
                        const auto bad = first_not_below(out, bound_of(dtype));
                        XKDE_CHECK(!bad, NumericError, "export: tensor ", tensor,
                                   ": expected finite values, found ", out[*bad], " at element ",
                                   *bad);
                      });
    for (const TensorToWrite& tensor : shards[i].tensors) map[tensor.name] = name;
    total += shards[i].bytes;
  }
  if (shards.size() == 1) return;
  const Json index = {
      {"metadata", {{"total_size", total}, {"total_parameters", total / stored.bytes}}},
      {"weight_map", map}};
  write_file_atomically(folder / "model.safetensors.index.json", index.dump(2) + "\n");
}

Json generation_config(const ExportedModel& model) {
  Json json = model.generation_config;
  if (json.is_null()) json = Json::object({{"_from_model_config", true}});
  const Json all = model.config.to_json(Dtype::kFloat32);
  for (const char* key : {"bos_token_id", "eos_token_id", "pad_token_id"}) {
    if (all.contains(key) && !json.contains(key)) json[key] = all[key];
  }
  std::vector<int64_t> ends = end_ids_of(json);
  const size_t known = ends.size();
  for (const int64_t id : model.stop_ids) {
    if (std::find(ends.begin(), ends.end(), id) == ends.end()) ends.push_back(id);
  }
  if (ends.size() == known) return json;
  json["eos_token_id"] = ends.size() == 1 ? Json(ends.front()) : Json(ends);
  // transformers makes a config anew that says it was made of the model's.
  json.erase("_from_model_config");
  return json;
}

}  // namespace

ExportedModel exported_model(const PretrainedModel& model, const std::string& chat_template,
                             const std::vector<int64_t>& stop_ids) {
  return {.config = model.config,
          .tokenizer = model.tokenizer,
          .chat_template = chat_template,
          .generation_config = model.generation_config,
          .stop_ids = stop_ids};
}

std::vector<int64_t> end_ids_of(const Json& generation_config) {
  const Json ends =
      generation_config.is_null() ? Json(nullptr) : generation_config.value("eos_token_id", Json());
  if (ends.is_null()) return {};
  return ends.is_array() ? ends.get<std::vector<int64_t>>() : std::vector{ends.get<int64_t>()};
}

// NOLINTNEXTLINE(readability-function-size): the parts of one model folder
void export_pretrained(const fs::path& folder, const ExportedModel& model, Dtype dtype,
                       const std::function<void(const std::string&, std::span<float>)>& read_f32,
                       int64_t max_shard_bytes) {
  std::error_code error;
  fs::create_directories(folder, error);
  XKDE_CHECK(!error, IoError, folder.string(),
             ": expected an empty folder or to create one, found ", error.message());
  XKDE_CHECK(entries_of(folder, FileOrigin::kOwn).empty(), IoError, folder.string(),
             ": expected an empty folder or to create one, found files in it");
  const auto write_json = [&](const char* name, const Json& json) {
    write_file_atomically(folder / name, json.dump(2) + "\n");
  };
  try {
    write_json("config.json", model.config.to_json(dtype));
    write_json("generation_config.json", generation_config(model));
    write_json("tokenizer.json", model.tokenizer.to_tokenizer_json());
    Json tokenizer_config = model.tokenizer.to_tokenizer_config();
    if (!model.chat_template.empty()) {
      tokenizer_config["chat_template"] = model.chat_template;
      write_file_atomically(folder / "chat_template.jinja", model.chat_template);
    }
    write_json("tokenizer_config.json", tokenizer_config);
    write_weights(folder, model.config, dtype, read_f32, max_shard_bytes);
  } catch (...) {
    try_remove_tree(folder);
    throw;
  }
  sync_path(folder);
}

}  // namespace xkde
