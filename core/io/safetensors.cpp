#include "core/io/safetensors.h"

#include <algorithm>
#include <fstream>
#include <optional>
#include <utility>

#include "core/base/error.h"
#include "core/io/file_reader.h"
#include "core/io/float_formats.h"
#include "core/io/json_file.h"

namespace xkde {
namespace {

constexpr uint64_t kLargestHeader = 100'000'000;

std::optional<int64_t> dtype_bytes(const std::string& dtype) {
  if (dtype == "F64" || dtype == "I64" || dtype == "U64") return 8;
  if (dtype == "F32" || dtype == "I32" || dtype == "U32") return 4;
  if (dtype == "F16" || dtype == "BF16" || dtype == "I16" || dtype == "U16") return 2;
  if (dtype == "I8" || dtype == "U8" || dtype == "BOOL" || dtype.starts_with("F8_")) return 1;
  return std::nullopt;
}

uint64_t read_offset(const Json& value, const std::string& place) {
  XKDE_CHECK(value.is_number_unsigned(), DataError, place,
             ": expected a non-negative integer, found ", value.dump());
  return value.get<uint64_t>();
}

SafetensorsFile::Tensor parse_tensor(const std::string& name, const Json& entry,
                                     const std::string& file) {
  const std::string place = file + ": tensor " + name;
  XKDE_CHECK(entry.is_object(), DataError, place, ": expected an object, found ", entry.dump());
  for (const char* key : {"dtype", "shape", "data_offsets"}) {
    XKDE_CHECK(entry.contains(key), DataError, place, ": expected key ", key, ", found none");
  }
  XKDE_CHECK(entry["dtype"].is_string(), DataError, place, ": dtype: expected a string, found ",
             entry["dtype"].dump());
  XKDE_CHECK(entry["shape"].is_array(), DataError, place, ": shape: expected a list, found ",
             entry["shape"].dump());
  const Json& offsets = entry["data_offsets"];
  XKDE_CHECK(offsets.is_array() && offsets.size() == 2, DataError, place,
             ": data_offsets: expected [begin, end], found ", offsets.dump());

  SafetensorsFile::Tensor tensor;
  tensor.name = name;
  tensor.dtype = entry["dtype"].get<std::string>();
  const auto bytes = dtype_bytes(tensor.dtype);
  XKDE_CHECK(bytes, DataError, place, ": dtype: expected a known type, found ", tensor.dtype);
  uint64_t size = static_cast<uint64_t>(*bytes);
  for (const Json& extent : entry["shape"]) {
    const uint64_t value = read_offset(extent, place + ": shape");
    XKDE_CHECK(value == 0 || size <= (uint64_t{1} << 62U) / value, DataError, place,
               ": shape: expected a size that fits into memory, found ", entry["shape"].dump());
    size *= value;
    tensor.shape.push_back(static_cast<int64_t>(value));
  }
  tensor.begin = read_offset(offsets[0], place + ": data_offsets");
  tensor.end = read_offset(offsets[1], place + ": data_offsets");
  XKDE_CHECK(tensor.begin <= tensor.end && tensor.end - tensor.begin == size, DataError, place,
             ": expected ", size, " bytes for ", tensor.dtype, " ", entry["shape"].dump(),
             ", found data_offsets ", offsets.dump());
  return tensor;
}

}  // namespace

SafetensorsFile::SafetensorsFile(FileHandle file) : file_(std::move(file)) {
  const std::string name = path().string();
  const auto size = static_cast<uint64_t>(file_.status().bytes);
  XKDE_CHECK(size >= 8, DataError, name,
             ": expected a safetensors header of at least 8 bytes, found ", size);
  uint64_t header = 0;
  file_.pread_all({reinterpret_cast<char*>(&header), sizeof header}, 0);
  XKDE_CHECK(header <= kLargestHeader && header <= size - 8, DataError, name,
             ": expected a header length of at most ", std::min<uint64_t>(kLargestHeader, size - 8),
             " bytes, found ", header);
  std::string text(header, '\0');
  file_.pread_all(text, 8);
  XKDE_CHECK(!text.empty() && text.front() == '{', DataError, name,
             ": byte 8: expected a header that begins with '{', found another byte");
  const Json json = parse_json(text, name + ": header");
  for (const auto& [key, entry] : json.items()) {
    if (key == "__metadata__") {
      XKDE_CHECK(
          entry.is_object() &&
              std::all_of(entry.begin(), entry.end(), [](const Json& v) { return v.is_string(); }),
          DataError, name, ": __metadata__: expected an object of strings, found ", entry.dump());
      continue;
    }
    tensors_.push_back(parse_tensor(key, entry, name));
  }
  std::sort(tensors_.begin(), tensors_.end(), [](const Tensor& a, const Tensor& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  uint64_t expected = 0;
  for (Tensor& tensor : tensors_) {
    XKDE_CHECK(tensor.begin == expected, DataError, name, ": tensor ", tensor.name,
               ": expected data to begin at ", expected, " (no holes, no overlap), found ",
               tensor.begin);
    expected = tensor.end;
    tensor.begin += 8 + header;
    tensor.end += 8 + header;
  }
  XKDE_CHECK(expected == size - 8 - header, DataError, name, ": expected ", expected,
             " bytes of data, found ", size - 8 - header);
}

SafetensorsFile SafetensorsFile::open(const std::filesystem::path& path) {
  return SafetensorsFile(open_to_read(path, FileOrigin::kInput));
}

void SafetensorsFile::check_readable(const Tensor& tensor) const {
  XKDE_CHECK(storage_format(tensor.dtype), DataError, path().string(), ": tensor ", tensor.name,
             ": expected F32, F16, BF16 or F64, found ", tensor.dtype,
             "; take the model's folder in bf16 or one of its GGUF files");
}

bool SafetensorsFile::holds_same(const Tensor& mine, const SafetensorsFile& other,
                                 const Tensor& its) const {
  if (mine.dtype != its.dtype || mine.shape != its.shape) return false;
  constexpr uint64_t kPieceBytes = uint64_t{1} << 20;
  std::string here;
  std::string there;
  for (uint64_t at = 0; at < mine.end - mine.begin; at += kPieceBytes) {
    here.resize(std::min(kPieceBytes, mine.end - mine.begin - at));
    there.resize(here.size());
    file_.pread_all(here, static_cast<int64_t>(mine.begin + at));
    other.file_.pread_all(there, static_cast<int64_t>(its.begin + at));
    if (here != there) return false;
  }
  return true;
}

void SafetensorsFile::read_f32(const Tensor& tensor, int64_t first, std::span<float> out) const {
  check_readable(tensor);
  read_as_f32(file_, {static_cast<int64_t>(tensor.begin), static_cast<int64_t>(tensor.end)},
              tensor.dtype, first, out);
}

void write_safetensors(const std::filesystem::path& path, const std::vector<TensorToWrite>& tensors,
                       const std::string& dtype,
                       const std::function<void(const std::string&, std::span<float>)>& read_f32) {
  const int64_t width = dtype == "F32" ? 4 : 2;
  Json header = {{"__metadata__", {{"format", "pt"}}}};
  int64_t offset = 0;
  std::vector<int64_t> sizes;
  for (const TensorToWrite& tensor : tensors) {
    int64_t numel = 1;
    for (const int64_t extent : tensor.shape) numel *= extent;
    header[tensor.name] = {{"dtype", dtype},
                           {"shape", tensor.shape},
                           {"data_offsets", {offset, offset + numel * width}}};
    offset += numel * width;
    sizes.push_back(numel);
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');

  const std::filesystem::path temporary = path.string() + ".tmp";
  std::ofstream file(temporary, std::ios::binary | std::ios::trunc);
  const auto length = static_cast<uint64_t>(text.size());
  file.write(reinterpret_cast<const char*>(&length), sizeof length);
  file.write(text.data(), static_cast<std::streamsize>(text.size()));
  std::vector<float> values;
  std::vector<uint16_t> narrow;
  for (size_t i = 0; i < tensors.size() && file; ++i) {
    values.resize(static_cast<size_t>(sizes[i]));
    read_f32(tensors[i].name, values);
    const void* data = values.data();
    if (dtype != "F32") {
      narrow.resize(values.size());
      std::transform(values.begin(), values.end(), narrow.begin(), bfloat16_from_float);
      data = narrow.data();
    }
    file.write(static_cast<const char*>(data), static_cast<std::streamsize>(sizes[i] * width));
  }
  file.close();
  if (!file) std::filesystem::remove(temporary);
  XKDE_CHECK(file, IoError, path.string(), ": expected to write ", offset,
             " bytes of tensors, found a write error (disk full?)");
  sync_path(temporary);
  rename_file(temporary, path);
}

}  // namespace xkde
