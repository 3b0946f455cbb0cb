#include "distributed/checkpoint/manifest.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <set>
#include <string_view>

#include "core/base/error.h"
#include "core/io/file_reader.h"
#include "core/io/json_file.h"
#include "core/io/sha256.h"
#include "core/text/regex/json_place.h"
#include "distributed/checkpoint/layout_json.h"
#include "distributed/checkpoint/state_form.h"

namespace xkde::dist {
namespace fs = std::filesystem;
namespace {

constexpr const char* kFormat = "xkde_dist checkpoint";
constexpr int64_t kOtherFiles = 2;  // beside the rank files: kIndexFile, kStateFile
constexpr std::string_view kFolderPrefix = "step-";
constexpr size_t kStepDigits = 8;
const std::string kDigestEnd = std::string("  ") + kManifestFile + "\n";  // as sha256sum writes it

/// "7" of width 5 -> "00007".
std::string padded(int64_t number, size_t width) {
  const std::string digits = std::to_string(number);
  return std::string(width - std::min(width, digits.size()), '0') + digits;
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
          {"layout", layout_json(manifest.layout)}};
}

std::vector<std::string> kinds_from(const JsonPlace& place) {
  std::vector<std::string> kinds;
  for (size_t i = 0; i < place.array().size(); ++i) kinds.push_back(place.item(i).string());
  const std::vector<std::string> known[] = {
      {"master"},
      {"master", "exp_avg", "exp_avg_sq"},
      {"master", "exp_avg.codes", "exp_avg.scales", "exp_avg_sq.codes", "exp_avg_sq.scales"}};
  if (std::ranges::count(known, kinds) == 0)
    place.fail("master, or master, exp_avg and exp_avg_sq, or master and codes and scales of both");
  return kinds;
}

bool is_digest(const std::string& text) {
  constexpr size_t kDigits = 64;
  return text.size() == kDigits && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

void read_file_record(const JsonPlace& place, FileRecord& file) {
  file.name = place.at("name").string();
  file.bytes = place.at("bytes").integer(0, std::numeric_limits<int64_t>::max());
  file.sha256 = place.at("sha256").string();
  if (!is_digest(file.sha256)) place.at("sha256").fail("a SHA-256 in 64 hexadecimal digits");
}

/// Names are used as paths: none but those that a checkpoint has, each once.
std::vector<FileRecord> files_from(const JsonPlace& place, int64_t num_shards) {
  const auto count = static_cast<int64_t>(place.array().size());
  const std::string expected = concat(": expected ", kIndexFile, ", ", kStateFile, " and ",
                                      num_shards, " rank files, found ");
  XKDE_CHECK(count - kOtherFiles == num_shards, DataError, place.where(), expected, count,
             " files");
  std::set<std::string> missing{kIndexFile, kStateFile};
  for (int shard = 0; shard < num_shards; ++shard) missing.insert(rank_file_name(shard));
  std::vector<FileRecord> files(place.size());
  for (size_t i = 0; i < files.size(); ++i) {
    read_file_record(place.item(i), files[i]);
    XKDE_CHECK(missing.erase(files[i].name) == 1, DataError, place.where(), expected,
               "another name or one twice: ", files[i].name);
  }
  return files;
}

/// Elements of a state of which the shortest rank file has room for `kinds`.
int64_t most_numel(const std::vector<FileRecord>& files, const std::vector<std::string>& kinds) {
  int64_t shortest = std::numeric_limits<int64_t>::max();
  for (const FileRecord& file : files) {
    if (file.name != kIndexFile && file.name != kStateFile)
      shortest = std::min(shortest, file.bytes);
  }
  const StateBytes state = bytes_of_states(kinds);
  return shortest / state.bytes * state.block;
}

/// Shards are whole blocks of what shares a scale.
void check_blocks(const JsonPlace& place, const Manifest& manifest) {
  const int64_t block = bytes_of_states(manifest.kinds).block;
  for (const UnitLayout& unit : manifest.layout.units) {
    XKDE_CHECK(unit.shard_numel % block == 0, DataError, place.where(), ": ", unit.name,
               ": shard_numel: expected a multiple of ", block, ", found ", unit.shard_numel);
  }
}

Manifest manifest_from(const JsonPlace& place) {
  Manifest manifest;
  manifest.step = place.at("step").integer(0, std::numeric_limits<int64_t>::max());
  manifest.kinds = kinds_from(place.at("kinds"));
  const auto num_shards =
      static_cast<int>(place.at("num_shards").integer(1, std::numeric_limits<int>::max()));
  manifest.files = files_from(place.at("files"), num_shards);
  manifest.layout =
      layout_from_json(place.at("layout"), num_shards, most_numel(manifest.files, manifest.kinds));
  check_blocks(place.at("layout"), manifest);
  return manifest;
}

std::string read_text(const fs::path& path) {
  try {
    return xkde::read_text(path, FileOrigin::kOwn);
  } catch (const IoError& error) {  // a damaged disk is a damaged file
    throw CheckpointError(error.what());
  }
}

void check_version(const JsonPlace& place) {
  const std::string& format = place.at("format").string();
  XKDE_CHECK(format == kFormat, DataError, place.where(), ": format: expected \"", kFormat,
             "\", found \"", format, "\"");
  const JsonPlace version = place.at("format_version");
  const int64_t found = version.integer(0, std::numeric_limits<int64_t>::max());
  XKDE_CHECK(found == kCheckpointVersion, DataError, version.where(), ": expected ",
             kCheckpointVersion, ", found ", found);
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

Manifest parse(const fs::path& path, const std::string& text) {
  try {
    const Json json = parse_json(text, path.string());
    const JsonPlace place(json, path.string());
    check_version(place);
    check_digest(path, text);
    return manifest_from(place);
  } catch (const DataError& error) {  // names the file and the place
    throw CheckpointError(error.what());
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
  Manifest manifest = parse(path, read_text(path));
  const int64_t named = step_of(folder.filename().string());
  XKDE_CHECK(named < 0 || manifest.step == named, CheckpointError, path.string(),
             ": step: expected ", named, " as its folder is called, found ", manifest.step);
  return manifest;
}

void verify_size(const fs::path& folder, const FileRecord& record) {
  const fs::path path = folder / record.name;
  std::error_code error;
  const auto bytes = static_cast<int64_t>(fs::file_size(path, error));
  XKDE_CHECK(!error, CheckpointError, path.string(), ": expected a file of ", record.bytes,
             " bytes, found: ", error.message());
  XKDE_CHECK(bytes == record.bytes, CheckpointError, path.string(), ": expected ", record.bytes,
             " bytes, found ", bytes);
}

void verify_file(const fs::path& folder, const FileRecord& record) {
  verify_size(folder, record);
  const fs::path path = folder / record.name;
  std::string digest;
  try {
    digest = sha256_of_file(path);
  } catch (const StopRequested&) {
    throw;
  } catch (const Error& unreadable) {  // a damaged disk is a damaged file
    throw CheckpointError(unreadable.what());
  }
  XKDE_CHECK(digest == record.sha256, CheckpointError, path.string(), ": SHA-256: expected ",
             record.sha256, ", found ", digest);
}

}  // namespace xkde::dist
