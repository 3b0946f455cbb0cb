#include "distributed/checkpoint/manifest.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>
#include <set>
#include <string_view>

#include "core/base/error.h"
#include "core/io/json_file.h"
#include "core/io/sha256.h"

namespace xkde::dist {
namespace fs = std::filesystem;
namespace {

constexpr const char* kFormat = "xkde_dist checkpoint";
constexpr std::string_view kFolderPrefix = "step-";
constexpr size_t kStepDigits = 8;
const std::string kDigestEnd = std::string("  ") + kManifestFile + "\n";  // as sha256sum writes it

/// "7" of width 5 -> "00007".
std::string padded(int64_t number, size_t width) {
  const std::string digits = std::to_string(number);
  return std::string(width - std::min(width, digits.size()), '0') + digits;
}

Json to_json(const ShardLayout& layout) {
  Json units = Json::array();
  for (const UnitLayout& unit : layout.units) {
    Json tensors = Json::array();
    for (const TensorSlot& slot : unit.slots) {
      tensors.push_back({{"name", slot.name},
                         {"shape", slot.shape},
                         {"offset", slot.offset},
                         {"numel", slot.numel}});
    }
    units.push_back({{"name", unit.name},
                     {"numel", unit.numel},
                     {"shard_numel", unit.shard_numel},
                     {"shard_offset", unit.shard_offset},
                     {"tensors", std::move(tensors)}});
  }
  return {{"num_shards", layout.num_shards},
          {"state_numel", layout.state_numel},
          {"units", std::move(units)}};
}

ShardLayout layout_from(const Json& json) {
  ShardLayout layout;
  layout.num_shards = json.at("num_shards").get<int>();
  layout.state_numel = json.at("state_numel").get<int64_t>();
  for (const Json& item : json.at("units")) {
    UnitLayout unit{.name = item.at("name"),
                    .slots = {},
                    .numel = item.at("numel"),
                    .shard_numel = item.at("shard_numel"),
                    .shard_offset = item.at("shard_offset")};
    for (const Json& tensor : item.at("tensors")) {
      unit.slots.push_back({.name = tensor.at("name"),
                            .shape = tensor.at("shape").get<std::vector<int64_t>>(),
                            .offset = tensor.at("offset"),
                            .numel = tensor.at("numel")});
    }
    layout.units.push_back(std::move(unit));
  }
  return layout;
}

Json to_json(const Manifest& manifest) {
  Json files = Json::array();
  for (const FileRecord& file : manifest.files) {
    files.push_back({{"name", file.name}, {"bytes", file.bytes}, {"sha256", file.sha256}});
  }
  return {{"format", kFormat},
          {"format_version", kCheckpointVersion},
          {"step", manifest.step},
          {"num_shards", manifest.layout.num_shards},
          {"kinds", manifest.kinds},
          {"files", std::move(files)},
          {"layout", to_json(manifest.layout)}};
}

Manifest manifest_from(const Json& json) {
  Manifest manifest{.step = json.at("step"),
                    .kinds = json.at("kinds").get<std::vector<std::string>>(),
                    .files = {},
                    .layout = layout_from(json.at("layout"))};
  for (const Json& file : json.at("files")) {
    manifest.files.push_back(
        {.name = file.at("name"), .bytes = file.at("bytes"), .sha256 = file.at("sha256")});
  }
  return manifest;
}

std::string read_text(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  XKDE_CHECK(stream.good(), CheckpointError, path.string(), ": expected a file, found none");
  std::string text(std::istreambuf_iterator<char>(stream), {});
  XKDE_CHECK(!stream.bad(), CheckpointError, path.string(), ": cannot be read");
  return text;
}

void check_version(const fs::path& path, const Json& json) {
  const std::string format = json.at("format");
  XKDE_CHECK(format == kFormat, CheckpointError, path.string(), ": format: expected \"", kFormat,
             "\", found \"", format, "\"");
  const int64_t version = json.at("format_version");
  XKDE_CHECK(version == kCheckpointVersion, CheckpointError, path.string(),
             ": format_version: expected ", kCheckpointVersion, ", found ", version);
}

void check_digest(const fs::path& path, const std::string& text) {
  const fs::path digest_path = path.parent_path() / kManifestDigestFile;
  const std::string found = sha256_hex(text);
  const std::string line = read_text(digest_path);
  XKDE_CHECK(line.size() == found.size() + kDigestEnd.size() && line.ends_with(kDigestEnd),
             CheckpointError, digest_path.string(), ": expected a SHA-256 and the name ",
             kManifestFile, ", found another text");
  XKDE_CHECK(line.starts_with(found), CheckpointError, path.string(), ": SHA-256: expected ",
             line.substr(0, found.size()), " as ", kManifestDigestFile, " says, found ", found);
}

/// Names are used as paths: none but those that a checkpoint has, each once.
void check_files(const fs::path& path, const Manifest& manifest) {
  std::set<std::string> expected{kIndexFile, kStateFile};
  for (int shard = 0; shard < manifest.layout.num_shards; ++shard) {
    expected.insert(rank_file_name(shard));
  }
  std::set<std::string> found;
  for (const FileRecord& file : manifest.files) found.insert(file.name);
  XKDE_CHECK(found == expected && manifest.files.size() == expected.size(), CheckpointError,
             path.string(), ": files: expected ", kIndexFile, ", ", kStateFile, " and ",
             manifest.layout.num_shards, " rank files, found other names");
}

Manifest parse(const fs::path& path, const std::string& text) {
  try {
    const Json json = parse_json(text, path.string());
    check_version(path, json);
    check_digest(path, text);
    Manifest manifest = manifest_from(json);
    check_files(path, manifest);
    return manifest;
  } catch (const DataError& error) {  // names the file and the place
    throw CheckpointError(error.what());
  } catch (const Json::exception& error) {
    throw CheckpointError(concat(path.string(), ": expected a manifest, found ", error.what()));
  }
}

}  // namespace

std::string rank_file_name(int shard) { return "rank_" + padded(shard, 5) + ".h5"; }

std::string folder_name(int64_t step) {
  return std::string(kFolderPrefix) + padded(step, kStepDigits);
}

int64_t step_of(const std::string& name) {
  if (!name.starts_with(kFolderPrefix)) return -1;
  int64_t step = -1;
  std::from_chars(name.data() + kFolderPrefix.size(), name.data() + name.size(), step);
  return step >= 0 && folder_name(step) == name ? step : -1;
}

void write_manifest(const fs::path& folder, const Manifest& manifest) {
  const std::string text = to_json(manifest).dump(1) + "\n";
  write_durable(folder / kManifestFile, text);
  write_durable(folder / kManifestDigestFile, sha256_hex(text) + kDigestEnd);
}

Manifest read_manifest(const fs::path& folder) {
  const fs::path path = folder / kManifestFile;
  return parse(path, read_text(path));
}

void verify_file(const fs::path& folder, const FileRecord& record) {
  const fs::path path = folder / record.name;
  std::error_code error;
  const auto bytes = static_cast<int64_t>(fs::file_size(path, error));
  XKDE_CHECK(!error, CheckpointError, path.string(), ": expected a file of ", record.bytes,
             " bytes, found: ", error.message());
  XKDE_CHECK(bytes == record.bytes, CheckpointError, path.string(), ": expected ", record.bytes,
             " bytes, found ", bytes);
  std::string digest;
  try {
    digest = sha256_of_file(path);
  } catch (const Error& unreadable) {  // a damaged disk is a damaged file
    throw CheckpointError(unreadable.what());
  }
  XKDE_CHECK(digest == record.sha256, CheckpointError, path.string(), ": SHA-256: expected ",
             record.sha256, ", found ", digest);
}

}  // namespace xkde::dist
