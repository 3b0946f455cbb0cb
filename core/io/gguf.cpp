#include "core/io/gguf.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <numeric>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/io/file_reader.h"
#include "core/io/float_formats.h"

namespace xkde {
namespace {

using Type = GgufValueType;

/// Reads the header front to back; every length is checked against what is left of the file.
class Reader {
 public:
  Reader(const FileHandle& file, uint64_t size)
      : file_(file), size_(size), name_(file.path().string()) {}

  uint64_t offset() const { return offset_; }
  uint64_t left() const { return size_ - offset_; }
  std::string place() const { return name_ + ": byte " + std::to_string(offset_); }

  template <typename T>
  T number(const char* what) {
    XKDE_CHECK(left() >= sizeof(T), DataError, place(), ": expected ", sizeof(T), " bytes of ",
               what, ", found the end of the file after ", left());
    T value;
    std::memcpy(&value, take(sizeof value), sizeof value);
    return value;
  }

  /// A number of things of at least `smallest` bytes each.
  uint64_t count(const char* what, size_t smallest) {
    const std::string here = place();
    const auto value = number<uint64_t>(what);
    XKDE_CHECK(value <= left() / smallest, DataError, here, ": expected a number of ", what,
               " that fits into the file, found ", value);
    return value;
  }

  std::string string(const char* what) {
    const uint64_t length = count(what, 1);
    return std::string(take(length), length);
  }

  Type type() {
    const std::string here = place();
    const auto value = number<uint32_t>("a value type");
    XKDE_CHECK(value <= static_cast<uint32_t>(Type::kFloat64), DataError, here,
               ": expected a value type from 0 to 12, found ", value);
    return static_cast<Type>(value);
  }

 private:
  /// The next bytes, which the file has, for as long as nothing else is taken.
  const char* take(uint64_t bytes) {
    const uint64_t at = offset_ - buffer_begin_;
    offset_ += bytes;
    if (at + bytes <= buffer_.size()) return buffer_.data() + at;
    buffer_begin_ = offset_ - bytes;
    buffer_.resize(std::min(size_ - buffer_begin_, std::max(bytes, kPieceBytes)));
    file_.pread_all(buffer_, static_cast<int64_t>(buffer_begin_));
    return buffer_.data();
  }

  static constexpr uint64_t kPieceBytes = uint64_t{1} << 18;

  const FileHandle& file_;
  uint64_t size_;
  std::string name_;
  uint64_t offset_ = 0;        ///< in the file, of what comes next
  uint64_t buffer_begin_ = 0;  ///< in the file, of the buffer
  std::string buffer_;
};

size_t smallest_size(Type type) {
  switch (type) {
    case Type::kUint8:
    case Type::kInt8:
    case Type::kBool:
      return 1;
    case Type::kUint16:
    case Type::kInt16:
      return 2;
    case Type::kUint32:
    case Type::kInt32:
    case Type::kFloat32:
      return 4;
    default:
      return 8;
  }
}

bool is_real(Type type) { return type == Type::kFloat32 || type == Type::kFloat64; }

int64_t read_integer(Reader& reader, Type type) {
  switch (type) {
    case Type::kUint8:
      return reader.number<uint8_t>("a number");
    case Type::kInt8:
      return reader.number<int8_t>("a number");
    case Type::kBool:
      return reader.number<uint8_t>("a truth value") != 0 ? 1 : 0;
    case Type::kUint16:
      return reader.number<uint16_t>("a number");
    case Type::kInt16:
      return reader.number<int16_t>("a number");
    case Type::kUint32:
      return reader.number<uint32_t>("a number");
    case Type::kInt32:
      return reader.number<int32_t>("a number");
    case Type::kInt64:
      return reader.number<int64_t>("a number");
    default: {
      const std::string here = reader.place();
      const auto value = reader.number<uint64_t>("a number");
      XKDE_CHECK(value <= static_cast<uint64_t>(INT64_MAX), DataError, here,
                 ": expected a number below 2^63, found ", value);
      return static_cast<int64_t>(value);
    }
  }
}

double read_real(Reader& reader, Type type) {
  return type == Type::kFloat32 ? static_cast<double>(reader.number<float>("a number"))
                                : reader.number<double>("a number");
}

GgufFile::Value read_array(Reader& reader) {
  const std::string here = reader.place();
  const Type type = reader.type();
  XKDE_CHECK(type != Type::kArray, DataError, here,
             ": expected an array of plain values, found nested arrays");
  const uint64_t count = reader.count("array elements", smallest_size(type));
  if (type == Type::kString) {
    std::vector<std::string> values;
    for (uint64_t i = 0; i < count; ++i) values.push_back(reader.string("a string"));
    return values;
  }
  if (is_real(type)) {
    std::vector<double> values;
    for (uint64_t i = 0; i < count; ++i) values.push_back(read_real(reader, type));
    return values;
  }
  std::vector<int64_t> values;
  for (uint64_t i = 0; i < count; ++i) values.push_back(read_integer(reader, type));
  return values;
}

GgufFile::Value read_value(Reader& reader) {
  const Type type = reader.type();
  if (type == Type::kArray) return read_array(reader);
  if (type == Type::kString) return reader.string("a string");
  if (is_real(type)) return read_real(reader, type);
  if (type == Type::kBool) return read_integer(reader, type) != 0;
  return read_integer(reader, type);
}

}  // namespace

/// One file; the first of several has the others.
struct GgufFile::Impl {
  std::filesystem::path path;
  FileHandle file;
  uint64_t size;  ///< of the file
  std::map<std::string, Value> metadata;
  std::vector<Tensor> tensors;                ///< of the first file: of all
  std::vector<std::unique_ptr<Impl>> others;  ///< from the second on

  explicit Impl(const std::filesystem::path& from)
      : path(from),
        file(open_to_read(from, FileOrigin::kInput)),
        size(static_cast<uint64_t>(file.status().bytes)) {
    Reader reader(file, size);
    const auto magic = reader.number<uint32_t>("a magic number");
    XKDE_CHECK(magic == 0x46554747U, DataError, path.string(),
               ": expected a GGUF file (\"GGUF\" at byte 0), found other bytes");
    const auto version = reader.number<uint32_t>("a version");
    XKDE_CHECK(version == 2 || version == 3, DataError, path.string(),
               ": expected GGUF version 2 or 3, found ", version);
    constexpr size_t kSmallestTensor = 8 + 4 + 8 + 4 + 8;
    constexpr size_t kSmallestPair = 8 + 4 + 1;
    const uint64_t num_tensors = reader.count("tensors", kSmallestTensor);
    const uint64_t num_pairs = reader.count("metadata pairs", kSmallestPair);
    read_metadata(reader, num_pairs);
    for (uint64_t i = 0; i < num_tensors; ++i) tensors.push_back(read_tensor(reader));
    place_tensors(reader.offset());
  }

  const Impl& holder_of(const Tensor& tensor) const {
    return tensor.file == 0 ? *this : *others[tensor.file - 1];
  }

  int64_t bytes_of(const Tensor& tensor) const {
    const auto format = storage_format(tensor.dtype);
    XKDE_CHECK(format, DataError, path.string(), ": tensor ", tensor.name, ": expected one of ",
               storage_format_names(), ", found ", tensor.dtype,
               "; take another file of the model, such as Q4_K_M");
    const int64_t columns = tensor.shape.back();
    XKDE_CHECK(columns % format->values == 0, DataError, path.string(), ": tensor ", tensor.name,
               ": expected rows of a multiple of ", format->values, " values, found ", columns);
    int64_t numel = 1;
    for (const int64_t extent : tensor.shape) numel *= extent;
    return numel / format->values * format->bytes;
  }

  template <typename T>
  const T& get(const std::string& key, const char* expected) const {
    const auto found = metadata.find(key);
    XKDE_CHECK(found != metadata.end(), DataError, path.string(), ": expected metadata ", key,
               ", found none");
    const T* value = std::get_if<T>(&found->second);
    XKDE_CHECK(value != nullptr, DataError, path.string(), ": metadata ", key, ": expected ",
               expected, ", found another type");
    return *value;
  }

  void read_metadata(Reader& reader, uint64_t count) {
    for (uint64_t i = 0; i < count; ++i) {
      const std::string here = reader.place();
      const std::string key = reader.string("a key");
      XKDE_CHECK(!key.empty() && key.find('\0') == std::string::npos, DataError, here,
                 ": expected a key, found an empty one or one with a NUL");
      const bool fresh = metadata.emplace(key, read_value(reader)).second;
      XKDE_CHECK(fresh, DataError, here, ": expected distinct keys, found ", key, " twice");
    }
  }

  Tensor read_tensor(Reader& reader) {
    const std::string here = reader.place();
    Tensor tensor;
    tensor.name = reader.string("a tensor name");
    XKDE_CHECK(!tensor.name.empty() && tensor.name.find('\0') == std::string::npos, DataError, here,
               ": expected a tensor name, found an empty one or one with a NUL");
    const auto rank = reader.number<uint32_t>("a number of dimensions");
    XKDE_CHECK(rank >= 1 && rank <= 4, DataError, here, ": tensor ", tensor.name,
               ": expected 1 to 4 dimensions, found ", rank);
    int64_t numel = 1;
    for (uint32_t d = 0; d < rank; ++d) {
      const int64_t extent = read_integer(reader, Type::kUint64);
      XKDE_CHECK(extent > 0 && numel <= (int64_t{1} << 48) / extent, DataError, here, ": tensor ",
                 tensor.name, ": expected a positive size that fits into memory, found dimension ",
                 extent);
      numel *= extent;
      tensor.shape.insert(tensor.shape.begin(), extent);
    }
    const auto type = reader.number<uint32_t>("a tensor type");
    const bool known = type < kGgufTensorTypes.size() && !kGgufTensorTypes[type].empty();
    tensor.dtype = known ? std::string(kGgufTensorTypes[type]) : "type " + std::to_string(type);
    tensor.offset = reader.number<uint64_t>("a tensor offset");
    return tensor;
  }

  uint64_t alignment() const {
    if (metadata.find("general.alignment") == metadata.end()) return kGgufAlignment;
    const int64_t value = get<int64_t>("general.alignment", "an integer");
    XKDE_CHECK(value > 0 && value <= (1 << 20) && (value & (value - 1)) == 0, DataError,
               path.string(), ": general.alignment: expected a power of two, found ", value);
    return static_cast<uint64_t>(value);
  }

  /// Turns offsets from the data's start into offsets from the file's start.
  void place_tensors(uint64_t header_end) {
    const uint64_t align = alignment();
    const uint64_t data = (header_end + align - 1) / align * align;
    std::set<std::string> names;
    std::vector<uint64_t> ends;
    for (Tensor& tensor : tensors) {
      XKDE_CHECK(names.insert(tensor.name).second, DataError, path.string(),
                 ": expected distinct tensor names, found ", tensor.name, " twice");
      XKDE_CHECK(tensor.offset % align == 0, DataError, path.string(), ": tensor ", tensor.name,
                 ": expected an offset that is a multiple of ", align, ", found ", tensor.offset);
      const uint64_t room =
          size > data && tensor.offset <= size - data ? size - data - tensor.offset : 0;
      // Types that can't be decoded have no known size; reading them is refused later, by name.
      const uint64_t need =
          storage_format(tensor.dtype) ? static_cast<uint64_t>(bytes_of(tensor)) : 1;
      XKDE_CHECK(need <= room, DataError, path.string(), ": tensor ", tensor.name, ": expected ",
                 need, " bytes at offset ", tensor.offset, ", found ", room,
                 " before the end of the file");
      tensor.offset += data;
      ends.push_back(tensor.offset + need);
    }
    check_apart(ends);
  }

  /// Bytes that belong to many tensors would let a small file ask for any memory. `ends`: where the
  /// data of each tensor ends.
  void check_apart(const std::vector<uint64_t>& ends) const {
    std::vector<size_t> order(tensors.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::ranges::sort(order, {}, [&](size_t i) { return tensors[i].offset; });
    for (size_t i = 1; i < order.size(); ++i) {
      const Tensor& before = tensors[order[i - 1]];
      const Tensor& tensor = tensors[order[i]];
      XKDE_CHECK(tensor.offset >= ends[order[i - 1]], DataError, path.string(), ": tensor ",
                 tensor.name, ": expected data from byte ", ends[order[i - 1]],
                 " on, where that of tensor ", before.name, " ends, found it at ", tensor.offset);
    }
  }

  int64_t get_or(const std::string& key, int64_t fallback) const {
    return metadata.contains(key) ? get<int64_t>(key, "an integer") : fallback;
  }

  /// Opens the files beside the first of a split model and takes over their tensors.
  void open_others() {
    const int64_t count = get_or("split.count", 1);
    const int64_t number = get_or("split.no", 0);
    XKDE_CHECK(number == 0, DataError, path.string(),
               ": expected the first file of a split model, NAME-00001-of-",
               fmt::format("{:05}", count), ".gguf, found one whose split.no is ", number);
    if (count <= 1) return;
    const std::string name = path.filename().string();
    const std::string ending = split_ending(1, count);
    XKDE_CHECK(name.ends_with(ending), DataError, path.string(),
               ": expected a name that ends with ", ending, ", as split.count is ", count,
               ", found ", name);
    const std::string stem = name.substr(0, name.size() - ending.size());
    std::set<std::string> names;
    for (const Tensor& tensor : tensors) names.insert(tensor.name);
    for (int64_t i = 2; i <= count; ++i) {
      others.push_back(
          std::make_unique<Impl>(path.parent_path() / (stem + split_ending(i, count))));
      take(*others.back(), i, count, names);
    }
    const int64_t total = get_or("split.tensors.count", std::ssize(tensors));
    XKDE_CHECK(total == std::ssize(tensors), DataError, path.string(),
               ": split.tensors.count: expected ", std::ssize(tensors), ", the tensors of all ",
               count, " files, found ", total);
  }

 private:
  static std::string split_ending(int64_t number, int64_t count) {
    return fmt::format("-{:05}-of-{:05}.gguf", number, count);
  }

  /// Moves the tensors of file `number` of `count` here.
  void take(Impl& other, int64_t number, int64_t count, std::set<std::string>& names) {
    const std::string name = other.path.string();
    const int64_t its_count = other.get_or("split.count", 1);
    XKDE_CHECK(its_count == count, DataError, name, ": split.count: expected ", count,
               ", as in the first file, found ", its_count);
    const int64_t its_number = other.get_or("split.no", 0);
    XKDE_CHECK(its_number == number - 1, DataError, name, ": split.no: expected ", number - 1,
               ", found ", its_number);
    for (Tensor& tensor : other.tensors) {
      tensor.file = others.size();
      XKDE_CHECK(names.insert(tensor.name).second, DataError, name, ": tensor ", tensor.name,
                 ": expected it in one file only, found it in an earlier one, too");
      tensors.push_back(std::move(tensor));
    }
  }
};

GgufFile::GgufFile(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
GgufFile::GgufFile(GgufFile&&) noexcept = default;
GgufFile& GgufFile::operator=(GgufFile&&) noexcept = default;
GgufFile::~GgufFile() = default;

GgufFile GgufFile::open(const std::filesystem::path& path) {
  auto impl = std::make_unique<Impl>(path);
  impl->open_others();
  return GgufFile(std::move(impl));
}

const std::filesystem::path& GgufFile::path() const { return impl_->path; }
std::vector<std::filesystem::path> GgufFile::files() const {
  std::vector<std::filesystem::path> files = {impl_->path};
  for (const auto& other : impl_->others) files.push_back(other->path);
  return files;
}
bool GgufFile::has(const std::string& key) const { return impl_->metadata.count(key) != 0; }
int64_t GgufFile::integer(const std::string& key) const {
  return impl_->get<int64_t>(key, "an integer");
}
double GgufFile::number(const std::string& key) const {
  return impl_->get<double>(key, "a real number");
}
bool GgufFile::boolean(const std::string& key) const {
  return impl_->get<bool>(key, "a truth value");
}
const std::string& GgufFile::string(const std::string& key) const {
  return impl_->get<std::string>(key, "a string");
}
const std::vector<std::string>& GgufFile::strings(const std::string& key) const {
  return impl_->get<std::vector<std::string>>(key, "an array of strings");
}
const std::vector<int64_t>& GgufFile::integers(const std::string& key) const {
  return impl_->get<std::vector<int64_t>>(key, "an array of integers");
}
const std::vector<double>& GgufFile::numbers(const std::string& key) const {
  return impl_->get<std::vector<double>>(key, "an array of real numbers");
}
const std::vector<GgufFile::Tensor>& GgufFile::tensors() const { return impl_->tensors; }

void GgufFile::check_readable(const Tensor& tensor) const {
  impl_->holder_of(tensor).bytes_of(tensor);
}

void GgufFile::read_f32(const Tensor& tensor, int64_t first, std::span<float> out) const {
  const Impl& holder = impl_->holder_of(tensor);
  const auto begin = static_cast<int64_t>(tensor.offset);
  read_as_f32(holder.file, {begin, begin + holder.bytes_of(tensor)}, tensor.dtype, first, out);
}

void GgufFile::read_bytes(const Tensor& tensor, std::span<std::byte> out) const {
  const Impl& holder = impl_->holder_of(tensor);
  XKDE_CHECK(std::ssize(out) == holder.bytes_of(tensor), InternalError, tensor.name, ": ",
             std::ssize(out), " bytes for a tensor of ", holder.bytes_of(tensor));
  holder.file.pread_all({reinterpret_cast<char*>(out.data()), out.size()},
                        static_cast<int64_t>(tensor.offset));
}

}  // namespace xkde
