#include "distributed/checkpoint.h"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstring>
#include <functional>
#include <future>
#include <sstream>
#include <string_view>

#include "core/base/error.h"
#include "core/io/atomic_file.h"
#include "core/io/hdf5_file.h"
#include "core/io/sha256.h"
#include "distributed/checkpoint_agreement.h"
#include "distributed/checkpoint_files.h"
#include "distributed/checkpoint_index.h"
#include "distributed/checkpoint_manifest.h"

namespace xkde::dist {
namespace fs = std::filesystem;
namespace {

static_assert(std::endian::native == std::endian::little,
              "fp32 values are copied to disk as they are");

constexpr const char* kLatestFile = "LATEST";
constexpr std::string_view kTemporary = ".tmp";

struct Kind {
  const char* name;
  std::span<const float> values;
};

std::vector<Kind> kinds_of(const ShardLayout& layout, const StateView& state) {
  std::vector<Kind> kinds{{"master", state.master}};
  if (!state.exp_avg.empty()) kinds.push_back({"exp_avg", state.exp_avg});
  if (!state.exp_avg_sq.empty()) kinds.push_back({"exp_avg_sq", state.exp_avg_sq});
  XKDE_CHECK(kinds.size() != 2, InternalError, "checkpoint: expected both moments or none");
  for (const Kind& kind : kinds) {
    XKDE_CHECK(static_cast<int64_t>(kind.values.size()) == layout.state_numel, InternalError,
               "checkpoint: ", kind.name, ": expected ", layout.state_numel, " elements, found ",
               kind.values.size());
  }
  return kinds;
}

std::vector<std::string> digests_of(const std::vector<Kind>& kinds) {
  std::vector<std::future<std::string>> running;
  for (const Kind& kind : kinds) {
    running.push_back(std::async(std::launch::async, [&kind] {
      Sha256 hash;
      hash.update(kind.values.data(), kind.values.size_bytes());
      return hash.hex();
    }));
  }
  std::vector<std::string> digests;
  for (auto& digest : running) digests.push_back(digest.get());
  return digests;
}

/// Lets the library make the file all but the values, and returns where they belong.
std::vector<int64_t> make_frame(const fs::path& path, int64_t step, const ShardLayout& layout,
                                int rank, const std::vector<Kind>& kinds) {
  const std::vector<std::string> digests = digests_of(kinds);
  Hdf5File file = Hdf5File::create(path);
  file.set_attribute("format_version", kCheckpointVersion);
  file.set_attribute("step", step);
  file.set_attribute("shard", rank);
  file.set_attribute("num_shards", layout.num_shards);
  std::vector<int64_t> offsets;
  for (size_t i = 0; i < kinds.size(); ++i) {
    Hdf5Dataset dataset = file.create_flat(kinds[i].name, layout.state_numel);
    dataset.set_attribute("sha256", digests[i]);
    offsets.push_back(dataset.file_offset());
  }
  file.close();
  XKDE_CHECK(std::is_sorted(offsets.begin(), offsets.end()), InternalError, path.string(),
             ": expected datasets in the order of their creation");
  return offsets;
}

/// The values go to disk without the library: where they no longer fit, it has nothing left to
/// lose.
FileRecord write_rank_file(const fs::path& folder, int64_t step, const ShardLayout& layout,
                           int rank, const std::vector<Kind>& kinds) {
  const fs::path path = folder / rank_file_name(rank);
  const std::vector<int64_t> offsets = make_frame(path, step, layout, rank, kinds);
  DurableFile file = DurableFile::reopen(path);
  for (size_t i = 0; i < kinds.size(); ++i) {
    file.keep_until(offsets[i]);
    file.append(kinds[i].values.data(), kinds[i].values.size_bytes());
  }
  file.keep_rest();
  return file.finish();
}

/// An upper bound of what a checkpoint takes on disk.
int64_t bytes_of_checkpoint(const ShardLayout& layout, int64_t num_kinds, int64_t progress_bytes) {
  constexpr int64_t kFileOverhead = 32768;  // HDF5 metadata, alignment, blocks of the file system
  constexpr int64_t kPieceOverhead =
      1024;  // of a tensor or a mapping in index.h5 and manifest.json
  int64_t pieces = 0;
  for (const UnitLayout& unit : layout.units) {
    for (const TensorSlot& slot : unit.slots) {
      const auto dimensions = static_cast<int64_t>(slot.shape.size());
      pieces += 1 + 2 * dimensions * static_cast<int64_t>(pieces_of(layout, unit, slot).size());
    }
  }
  const int64_t values = num_kinds * layout.state_numel * static_cast<int64_t>(sizeof(float));
  return layout.num_shards * (values + kFileOverhead) + num_kinds * pieces * kPieceOverhead +
         progress_bytes + 4 * kFileOverhead;
}

void remove_leftovers(const fs::path& root) {
  std::vector<fs::path> leftovers;
  for (const auto& entry : fs::directory_iterator(root)) {
    const std::string name = entry.path().filename().string();
    const bool ours = name.starts_with("step-") || name.starts_with(kLatestFile);
    if (ours && name.ends_with(kTemporary)) leftovers.push_back(entry.path());
  }
  for (const fs::path& path : leftovers) fs::remove_all(path);
}

void rename_file(const fs::path& from, const fs::path& to) {
  XKDE_CHECK(std::rename(from.c_str(), to.c_str()) == 0, IoError, to.string(),
             ": cannot rename to: ", std::strerror(errno));
}

/// Removes all but the newest `keep_last` folders and the one named `latest`.
void remove_old(const fs::path& root, const std::string& latest, int64_t keep_last) {
  std::vector<int64_t> steps;
  for (const auto& entry : fs::directory_iterator(root)) {
    const int64_t step = step_of(entry.path().filename().string());
    if (step >= 0) steps.push_back(step);
  }
  std::sort(steps.begin(), steps.end(), std::greater<>());
  for (size_t i = static_cast<size_t>(keep_last); i < steps.size(); ++i) {
    const std::string name = folder_name(steps[i]);
    if (name == latest) continue;
    // Under another name first: a half-removed folder must not pass for a damaged checkpoint.
    const fs::path retired = root / (name + std::string(kTemporary));
    rename_file(root / name, retired);
    fs::remove_all(retired);
  }
}

/// The files of rank 0, and the moment at which the folder gets its name.
void complete(const fs::path& root, const fs::path& folder, const Manifest& manifest,
              const std::string& progress) {
  Manifest whole = manifest;
  whole.files.push_back(write_index(folder, manifest));
  whole.files.push_back(write_durable(folder / kStateFile, progress));
  write_manifest(folder, whole);
  sync_path(folder);
  const std::string name = folder_name(manifest.step);
  const fs::path latest = root / kLatestFile;
  const fs::path next = latest.string() + std::string(kTemporary);
  write_durable(next, name + "\n");  // before the rename: nothing needs space after it
  replace_folder(folder, root / name);
  sync_path(root);
  rename_file(next, latest);
  sync_path(root);
}

FileRecord record_from(const std::string& message, int rank) {
  FileRecord record;
  record.name = rank_file_name(rank);
  std::istringstream(message) >> record.bytes >> record.sha256;
  return record;
}

}  // namespace

void save_checkpoint(const fs::path& root, int64_t step, const ShardLayout& layout,
                     const StateView& state, const Json& progress, int64_t keep_last,
                     Communicator& comm) {
  const bool first = comm.rank() == 0;
  const fs::path folder = root / (folder_name(step) + std::string(kTemporary));
  std::vector<Kind> kinds;
  std::string progress_text;
  const auto prepare = [&]() -> std::string {
    XKDE_CHECK(layout.num_shards == comm.size() && step >= 0 && keep_last >= 0, InternalError,
               "checkpoint of step ", step, ", keeping ", keep_last, ": ", layout.num_shards,
               " shards on ", comm.size(), " ranks");
    kinds = kinds_of(layout, state);
    if (first) {
      progress_text = progress.dump(1) + "\n";
      fs::create_directories(root);
      remove_leftovers(root);
      check_free_space(root, bytes_of_checkpoint(layout, static_cast<int64_t>(kinds.size()),
                                                 static_cast<int64_t>(progress_text.size())));
      fs::create_directory(folder);
    }
    return std::to_string(kinds.size());
  };
  try {
    for (const std::string& count : agree(comm, prepare)) {
      XKDE_CHECK(count == std::to_string(kinds.size()), InternalError,
                 "checkpoint: some ranks have moments and some have none");
    }
    const std::vector<std::string> written = agree(comm, [&] {
      const FileRecord file = write_rank_file(folder, step, layout, comm.rank(), kinds);
      return concat(file.bytes, ' ', file.sha256);
    });
    agree_on(comm, [&] {
      if (!first) return;
      Manifest manifest{.step = step, .kinds = {}, .files = {}, .layout = layout};
      for (const Kind& kind : kinds) manifest.kinds.emplace_back(kind.name);
      for (int rank = 0; rank < comm.size(); ++rank) {
        manifest.files.push_back(record_from(written[static_cast<size_t>(rank)], rank));
      }
      complete(root, folder, manifest, progress_text);
      if (keep_last > 0) remove_old(root, folder_name(step), keep_last);
    });
  } catch (const CommError&) {
    throw;  // the other ranks may still be writing; the next save removes the folder
  } catch (const Error&) {
    std::error_code ignored;  // the error that brought us here is the one to report
    if (first) fs::remove_all(folder, ignored);
    if (first) fs::remove(root / (std::string(kLatestFile) + std::string(kTemporary)), ignored);
    throw;
  }
}

}  // namespace xkde::dist
