#include "core/model/pretrained/folder_weights.h"

#include <algorithm>
#include <map>
#include <set>
#include <system_error>
#include <utility>

#include "core/base/error.h"
#include "core/io/file_reader.h"
#include "core/io/json_file.h"
#include "core/io/safetensors.h"

namespace xkde {
namespace {

namespace fs = std::filesystem;

/// One .safetensors file or all that an index names.
class SafetensorsWeights : public WeightFile {
 public:
  explicit SafetensorsWeights(const std::vector<fs::path>& files) {
    for (const fs::path& file : files) files_.push_back(SafetensorsFile::open(file));
    for (const SafetensorsFile& file : files_) {
      for (const SafetensorsFile::Tensor& tensor : file.tensors()) {
        const bool fresh = tensors_.emplace(tensor.name, Place{&file, &tensor}).second;
        XKDE_CHECK(fresh, DataError, file.path().string(), ": tensor ", tensor.name,
                   ": expected it in one file only, found it in two");
      }
    }
  }
  std::vector<std::string> names() const override {
    std::vector<std::string> names;
    for (const auto& [name, place] : tensors_) names.push_back(name);
    return names;
  }
  bool has(const std::string& name) const override { return tensors_.count(name) != 0; }
  std::vector<int64_t> shape(const std::string& name) const override {
    return tensors_.at(name).tensor->shape;
  }
  void check_readable(const std::string& name) const override {
    const Place& place = find(name);
    place.file->check_readable(*place.tensor);
  }
  bool holds_same(const std::string& one, const std::string& other) const override {
    const Place& here = find(one);
    const Place& there = find(other);
    return here.file->holds_same(*here.tensor, *there.file, *there.tensor);
  }
  void read_f32(const std::string& name, int64_t first, std::span<float> out) const override {
    const Place& place = find(name);
    place.file->read_f32(*place.tensor, first, out);
  }

 private:
  struct Place {
    const SafetensorsFile* file;
    const SafetensorsFile::Tensor* tensor;
  };
  const Place& find(const std::string& name) const {
    const auto found = tensors_.find(name);
    XKDE_CHECK(found != tensors_.end(), DataError, files_.front().path().string(),
               ": expected tensor ", name, ", found none");
    return found->second;
  }

  std::vector<SafetensorsFile> files_;
  std::map<std::string, Place> tensors_;
};

fs::path real_path(const fs::path& path) {
  std::error_code error;
  fs::path real = fs::canonical(path, error);
  XKDE_CHECK(!error, MissingInputError, path.string(),
             ": expected a path that can be followed, found ", error.message());
  return real;
}

/// A file of an index may be a link that leads elsewhere. Its name may not.
bool stays_in_folder(const std::string& name) {
  return !name.empty() && fs::path(name).filename() == name && name != "." && name != "..";
}

/// A folder of huggingface_hub's cache, CACHE/models--A--B/snapshots/REVISION, has links to
/// CACHE/models--A--B/blobs: none of them leaves the cache.
void check_link(const fs::path& file) {
  const fs::path folder = real_path(file.parent_path());
  if (folder.parent_path().filename() != "snapshots") return;
  const fs::path cache = folder.parent_path().parent_path().parent_path();
  const fs::path real = real_path(file);
  const auto ends = std::mismatch(cache.begin(), cache.end(), real.begin(), real.end());
  XKDE_CHECK(ends.first == cache.end(), DataError, file.string(), ": expected a file of the cache ",
             cache.string(), ", found a link to ", real.string());
}

std::vector<fs::path> files_of_index(const fs::path& index) {
  const Json json = read_json_file(index);
  XKDE_CHECK(json.is_object() && json.contains("weight_map") && json["weight_map"].is_object(),
             DataError, index.string(), ": expected an object weight_map, found none");
  std::set<fs::path> files;
  for (const auto& [tensor, name] : json["weight_map"].items()) {
    XKDE_CHECK(name.is_string(), DataError, index.string(), ": weight_map.", tensor,
               ": expected a file name, found ", name.dump());
    XKDE_CHECK(stays_in_folder(name.get<std::string>()), DataError, index.string(), ": weight_map.",
               tensor, ": expected a file of the model's folder, found ", name.dump());
    const fs::path file = index.parent_path() / name.get<std::string>();
    if (files.contains(file)) continue;
    XKDE_CHECK(is_there(file, FileOrigin::kInput), MissingInputError, index.string(),
               ": weight_map.", tensor, ": expected the file ", file.string(), ", found none");
    check_link(file);
    files.insert(file);
  }
  return {files.begin(), files.end()};
}

}  // namespace

std::vector<fs::path> safetensors_files(const fs::path& folder) {
  const fs::path whole = folder / "model.safetensors";
  if (is_there(whole, FileOrigin::kInput)) {
    check_link(whole);
    return {whole};
  }
  const fs::path index = folder / "model.safetensors.index.json";
  if (is_there(index, FileOrigin::kInput)) return files_of_index(index);
  return {};
}

std::vector<fs::path> required_safetensors_files(const fs::path& folder,
                                                 const std::string& transformers_class) {
  std::vector<fs::path> files = safetensors_files(folder);
  if (!files.empty()) return files;
  const bool pickled = is_there(folder / "pytorch_model.bin", FileOrigin::kInput) ||
                       is_there(folder / "pytorch_model.bin.index.json", FileOrigin::kInput);
  XKDE_CHECK(!pickled, MissingInputError, (folder / "model.safetensors").string(),
             ": expected safetensors weights, found only pickled ones; convert them once: python3 "
             "-c \"from transformers import ",
             transformers_class, " as M; M.from_pretrained('", folder.string(),
             "').save_pretrained('", folder.string(), "')\"");
  throw MissingInputError(
      folder.string() +
      ": expected model.safetensors or model.safetensors.index.json, found neither");
}

std::unique_ptr<WeightFile> open_safetensors(const std::vector<fs::path>& files) {
  return std::make_unique<SafetensorsWeights>(files);
}

}  // namespace xkde
