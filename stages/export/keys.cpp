#include "stages/export/keys.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <system_error>

namespace xkde::recipe {
namespace {

struct ByteUnit {
  std::string_view name;  ///< in small letters
  int64_t bytes;
};
constexpr ByteUnit kByteUnits[] = {{"", 1},
                                   {"kb", 1'000},
                                   {"mb", 1'000'000},
                                   {"gb", 1'000'000'000},
                                   {"tb", 1'000'000'000'000},
                                   {"kib", int64_t{1} << 10},
                                   {"mib", int64_t{1} << 20},
                                   {"gib", int64_t{1} << 30},
                                   {"tib", int64_t{1} << 40}};

constexpr Condition<std::string> kByteSize{
    "a size such as 5GB, 200MB or 1GiB, or a positive number of bytes",
    [](const std::string& text) { return size_in_bytes(text).has_value(); }};

constexpr ForeignKeys kForeignExportKeys[] = {
    {"output_dir export_dir save_path out", "did you mean 'path'?"},
    {"torch_dtype infer_dtype", "did you mean 'dtype'?"},
    {"export_size shard_size", "did you mean 'max_shard_size'?"},
    {"quantization", "did you mean 'gguf_type'?"},
    {"push_to_hub export_hub_model_id hub_model_id",
     "nothing is sent anywhere; the folder has a model card for the hub"},
};

}  // namespace

std::optional<int64_t> size_in_bytes(std::string_view text) {
  int64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc() || count <= 0) return std::nullopt;
  std::string name(end, text.data() + text.size());
  std::transform(name.begin(), name.end(), name.begin(), [](char letter) {
    return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
  });
  for (const ByteUnit& unit : kByteUnits) {
    if (unit.name != name) continue;
    if (count > std::numeric_limits<int64_t>::max() / unit.bytes) return std::nullopt;
    return count * unit.bytes;
  }
  return std::nullopt;
}

void ExportStage::each_key(StrictMap map) {
  if (map.reads() && !map.has("adapter")) {
    map.required("path", path);
  } else {
    map.written_if(!path.empty(), "path", path);
  }
  map.written_if(!adapter.empty(), "adapter", adapter);
  map.written_if(format == ExportFormat::kGguf, "format", format, kExportFormats);
  const bool is_gguf = format == ExportFormat::kGguf;
  map.written_if(is_gguf, "gguf_type", gguf_type, kGgufTypes);
  map.written_if(!is_gguf, "dtype", dtype, kDtypes);
  map.written_if(!is_gguf, "max_shard_size", max_shard_size, kByteSize);
  if (map.asks("merge_into", merge_into)) map.optional("merge_into", *merge_into, kMergeInto);
  if (map.reads() && is_gguf && !map.has("path")) {
    map.add_error("format", "expected path beside format: gguf, found none");
  }
  for (const char* key : {"dtype", "max_shard_size"}) {
    if (is_gguf && map.has(key))
      map.add_error(key, "expected format: huggingface beside this key, found gguf");
  }
  if (!is_gguf && map.knows("format") && map.has("gguf_type")) {
    map.add_error("gguf_type", "expected format: gguf beside this key, found huggingface");
  }
  map.written_if(!memory.empty(), "memory", memory);
  map.excuse("adapter", {"path"});
  map.refuse_foreign(kForeignExportKeys);
  map.done();
}

std::vector<NamedPath> ExportStage::outputs() const {
  std::vector<NamedPath> outputs;
  if (!path.empty()) outputs.push_back({"path", path});
  if (!adapter.empty()) outputs.push_back({"adapter", adapter});
  return outputs;
}

void ExportStage::check_inputs(InputChecker& inputs) const {
  if (!memory.empty()) inputs.opens("memory", memory, "an edit memory (xkde_dist ask --memory)");
}

std::set<std::filesystem::path> ExportStage::files() const {
  if (memory.empty()) return {};
  return {memory};
}

}  // namespace xkde::recipe
