#include "core/io/writers/gguf_writer.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <utility>

#include "core/base/error.h"
#include "core/io/atomic_file.h"
#include "core/io/float_formats.h"

namespace xkde {
namespace {

using Type = GgufValueType;

uint32_t number_of(std::string_view type) {
  const auto* const found = std::ranges::find(kGgufTensorTypes, type);
  XKDE_CHECK(found != kGgufTensorTypes.end(), InternalError, "GGUF tensor type ", type,
             ": not one that there is");
  return static_cast<uint32_t>(found - kGgufTensorTypes.begin());
}

template <typename T>
void put(std::string& bytes, T value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void put_text(std::string& bytes, std::string_view text) {
  put(bytes, uint64_t{text.size()});
  bytes += text;
}

int64_t aligned(int64_t bytes) {
  constexpr auto kAlignment = static_cast<int64_t>(kGgufAlignment);
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

int64_t numel_of(const GgufTensorToWrite& tensor) {
  int64_t numel = 1;
  for (const int64_t extent : tensor.shape) numel *= extent;
  return numel;
}

int64_t bytes_of(const GgufTensorToWrite& tensor) {
  const auto format = storage_format(tensor.type);
  XKDE_CHECK(format && is_encodable(tensor.type) && !tensor.shape.empty() &&
                 tensor.shape.back() % format->values == 0,
             InternalError, "GGUF tensor ", tensor.name, ": rows are no whole blocks of ",
             tensor.type);
  return numel_of(tensor) / format->values * format->bytes;
}

}  // namespace

void GgufMetadata::head(std::string_view key, GgufValueType type) {
  put_text(bytes_, key);
  put(bytes_, type);
  ++size_;
}

void GgufMetadata::array(std::string_view key, GgufValueType type, size_t length) {
  head(key, Type::kArray);
  put(bytes_, type);
  put(bytes_, uint64_t{length});
}

void GgufMetadata::text(std::string_view key, std::string_view value) {
  head(key, Type::kString);
  put_text(bytes_, value);
}

void GgufMetadata::count(std::string_view key, int64_t value) {
  XKDE_CHECK(value >= 0 && value <= std::numeric_limits<uint32_t>::max(), DataError, "GGUF: ", key,
             ": expected a number of 32 bits, found ", value);
  head(key, Type::kUint32);
  put(bytes_, static_cast<uint32_t>(value));
}

void GgufMetadata::real(std::string_view key, double value) {
  head(key, Type::kFloat32);
  put(bytes_, static_cast<float>(value));
}

void GgufMetadata::flag(std::string_view key, bool value) {
  head(key, Type::kBool);
  bytes_ += value ? '\1' : '\0';
}

void GgufMetadata::texts(std::string_view key, std::span<const std::string> values) {
  array(key, Type::kString, values.size());
  for (const std::string& value : values) put_text(bytes_, value);
}

void GgufMetadata::integers(std::string_view key, std::span<const int32_t> values) {
  array(key, Type::kInt32, values.size());
  for (const int32_t value : values) put(bytes_, value);
}

void GgufMetadata::reals(std::string_view key, std::span<const float> values) {
  array(key, Type::kFloat32, values.size());
  for (const float value : values) put(bytes_, value);
}

GgufFileWriter::GgufFileWriter(std::filesystem::path path, const GgufMetadata& metadata,
                               std::vector<GgufTensorToWrite> tensors)
    : path_(std::move(path)), temporary_(path_.string() + ".tmp"), tensors_(std::move(tensors)) {
  std::string header = "GGUF";
  put(header, uint32_t{3});
  put(header, uint64_t{tensors_.size()});
  put(header, metadata.size());
  header += metadata.bytes();
  int64_t offset = 0;
  for (const GgufTensorToWrite& tensor : tensors_) {
    put_text(header, tensor.name);
    put(header, static_cast<uint32_t>(tensor.shape.size()));
    for (size_t i = tensor.shape.size(); i-- > 0;) {
      put(header, static_cast<uint64_t>(tensor.shape[i]));
    }
    put(header, number_of(tensor.type));
    put(header, static_cast<uint64_t>(offset));
    offsets_.push_back(offset);
    offset += aligned(bytes_of(tensor));
  }
  const int64_t begin = aligned(std::ssize(header));
  for (int64_t& place : offsets_) place += begin;
  bytes_ = begin + offset;
  file_ = FileHandle::open(temporary_, OpenMode::kReplace);
  try {
    file_.write_all(header);
    file_.truncate(bytes_);
  } catch (...) {
    try_remove_tree(temporary_);
    throw;
  }
}

GgufFileWriter::~GgufFileWriter() {
  if (file_.is_open()) try_remove_tree(temporary_);
}

void GgufFileWriter::reserve() const { file_.reserve(bytes_); }

void GgufFileWriter::write(size_t tensor, std::span<const float> values) const {
  constexpr size_t kPieceValues = size_t{1} << 17;  // whole blocks of every type
  const GgufTensorToWrite& known = tensors_.at(tensor);
  XKDE_CHECK(std::ssize(values) == numel_of(known), InternalError, "GGUF tensor ", known.name, ": ",
             values.size(), " values do not fill it");
  const StorageFormat format = *storage_format(known.type);
  std::vector<std::byte> buffer;
  int64_t offset = offsets_[tensor];
  while (!values.empty()) {
    const std::span<const float> piece = values.first(std::min(values.size(), kPieceValues));
    buffer.resize(piece.size() / static_cast<size_t>(format.values) *
                  static_cast<size_t>(format.bytes));
    encode_from_f32(known.type, piece, buffer);
    file_.pwrite_all({reinterpret_cast<const char*>(buffer.data()), buffer.size()}, offset);
    offset += std::ssize(buffer);
    values = values.subspan(piece.size());
  }
}

void GgufFileWriter::publish() {
  try {
    file_.close();
    replace_file(temporary_, path_);
  } catch (...) {
    try_remove_tree(temporary_);
    throw;
  }
}

}  // namespace xkde
