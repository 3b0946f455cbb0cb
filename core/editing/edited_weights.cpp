#include "core/editing/edited_weights.h"

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

#include <ATen/ATen.h>

#include "core/base/error.h"
#include "core/io/atomic_file.h"
#include "core/io/hdf5_file.h"
#include "core/io/json_file.h"

namespace xkde {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kEditedVersion = 1;
constexpr const char* kWeights = "weights";
constexpr const char* kState = "state";
/// Rows of a chunk: HDF5 takes no chunk of 4 GiB, and the state of a layer may be more.
constexpr int64_t kChunkRows = 256;

/// Tensors of another type become T, which holds them exactly.
template <typename T>
void write_all(Hdf5File& file, const std::string& group, Hdf5Type type,
               const std::map<std::string, at::Tensor>& tensors, Json& index) {
  file.create_group(group);
  index[group] = Json::object();
  for (const auto& [name, tensor] : tensors) {
    // Names of states have slashes, which would be groups.
    std::string flat = name;
    std::replace(flat.begin(), flat.end(), '/', ':');
    const at::Tensor host = tensor.to(at::kCPU, c10::CppTypeToScalarType<T>::value).contiguous();
    const std::vector<int64_t> shape = host.sizes().vec();
    file.create_chunked(concat(group, "/", flat), type, shape, std::min(shape.front(), kChunkRows))
        .write(0, std::span<const T>(host.const_data_ptr<T>(), static_cast<size_t>(host.numel())));
    index[group][name] = shape;
  }
}

template <typename T>
std::map<std::string, at::Tensor> read_all(const Hdf5File& file, const std::string& group,
                                           at::ScalarType type, const Json& index) {
  std::map<std::string, at::Tensor> tensors;
  for (const auto& [name, extents] : index.at(group).items()) {
    std::string flat = name;
    std::replace(flat.begin(), flat.end(), '/', ':');
    const Hdf5Dataset dataset = file.dataset(concat(group, "/", flat));
    std::vector<int64_t> shape;
    extents.get_to(shape);
    XKDE_CHECK(dataset.shape() == shape, CheckpointError, file.place(), ": ", name,
               ": expected the shape that the index says, found another");
    const at::Tensor tensor = at::empty(shape, at::TensorOptions().dtype(type));
    dataset.read(0,
                 std::span<T>(tensor.mutable_data_ptr<T>(), static_cast<size_t>(tensor.numel())));
    tensors[name] = tensor;
  }
  return tensors;
}

}  // namespace

void write_edited(const fs::path& path, const EditedFile& edited) {
  const fs::path temporary = path.string() + ".tmp";
  fs::remove(temporary);  // of a writer that was killed
  try {
    Hdf5File file = Hdf5File::create(temporary);
    Json index = Json::object();
    write_all<float>(file, kWeights, Hdf5Type::kFloat32, edited.weights, index);
    write_all<double>(file, kState, Hdf5Type::kFloat64, edited.state, index);
    file.set_attribute("format_version", kEditedVersion);
    file.set_attribute("editor", edited.editor);
    file.set_attribute("written", edited.written);
    file.set_attribute("index", index.dump());
    file.close();
    replace_file(temporary, path);
  } catch (...) {
    std::error_code ignored;
    fs::remove(temporary, ignored);
    throw;
  }
}

EditedFile read_edited(const fs::path& path) {
  const Hdf5File file = Hdf5File::open(path);
  XKDE_CHECK(file.integer_attribute("format_version") == kEditedVersion, CheckpointError,
             path.string(), ": expected edited weights of version ", kEditedVersion,
             ", found version ", file.integer_attribute("format_version"));
  const Json index = parse_json(file.string_attribute("index"), path.string());
  return {.weights = read_all<float>(file, kWeights, at::kFloat, index),
          .state = read_all<double>(file, kState, at::kDouble, index),
          .editor = file.string_attribute("editor"),
          .written = file.integer_attribute("written")};
}

}  // namespace xkde
