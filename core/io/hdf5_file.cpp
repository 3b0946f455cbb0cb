#include "core/io/hdf5_file.h"

#include <exception>
#include <limits>
#include <mutex>
#include <type_traits>

#include <hdf5.h>
#include <sys/mman.h>

#include "core/base/error.h"

namespace xkde {
namespace {

static_assert(std::is_same_v<hid_t, int64_t>, "Hdf5Handle holds a hid_t");
static_assert(sizeof(hsize_t) == sizeof(int64_t));

constexpr hsize_t kAlignment = 4096;

herr_t take_message(unsigned, const H5E_error2_t* error, void* data) {
  if (error->desc != nullptr && *error->desc != '\0')
    *static_cast<std::string*>(data) = error->desc;
  return 0;
}

/// Why the library failed, in one line: what its innermost call says. Those around it only repeat
/// that they failed, too.
std::string library_reason() {
  std::string text = "no reason of the library";
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, take_message, &text);
  for (char& c : text) {
    if (c == '\n') c = ' ';
  }
  return text;
}

/// Whether there is memory for what one call of the library takes. It does not say why it fails,
/// and can crash where it gets none.
bool has_memory() {
  constexpr size_t kCallBytes = size_t{16} << 20;
  void* memory =
      ::mmap(nullptr, kCallBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory != MAP_FAILED && ::munmap(memory, kCallBytes) == 0;
}

void check_memory(const std::string& place) {
  XKDE_CHECK(has_memory(), MemoryError, place, ": HDF5: no memory left to work with");
}

[[noreturn]] void fail(const Hdf5Origin& origin, const std::string& text) {
  const std::string message = origin.place + ": " + text;
  XKDE_CHECK(has_memory(), MemoryError, message);
  switch (origin.use) {
    case Hdf5Use::kWriting:
      throw IoError(message);
    case Hdf5Use::kReadingData:
      throw DataError(message);
    case Hdf5Use::kReadingCheckpoint:
      break;
  }
  throw CheckpointError(message);
}

void check(bool good, const Hdf5Origin& origin, const std::string& what) {
  if (good) [[likely]]
    return;
  const char* task = origin.use == Hdf5Use::kWriting ? "write" : "read";
  fail(origin, concat("HDF5: ", what, ": expected what the library can ", task, ", found \"",
                      library_reason(), '"'));
}

/// A handle of `id`, which the library has just returned for `what`.
Hdf5Handle own(hid_t id, Hdf5Handle::Close close, const Hdf5Origin& origin,
               const std::string& what) {
  check(id >= 0, origin, what);
  return {id, close};
}

void prepare_library() {
  static std::once_flag once;
  // A handler at exit would follow what a failed close left behind, and crashes on a full disk.
  std::call_once(once, [] { H5dont_atexit(); });
  // The error stack, and with it this setting, belongs to a thread.
  thread_local const herr_t quiet = H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  XKDE_CHECK(quiet >= 0, InternalError, "HDF5: its error output cannot be turned off");
}

/// While an error unwinds, a file that is written stays open: the library can crash where it closes
/// what it could not write.
int close_unless_failing(hid_t file) { return std::uncaught_exceptions() > 0 ? 0 : H5Fclose(file); }

Hdf5Handle file_access(const Hdf5Origin& origin) {
  prepare_library();
  Hdf5Handle list = own(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, origin, "file access");
  check(H5Pset_libver_bounds(list.id(), H5F_LIBVER_LATEST, H5F_LIBVER_LATEST) >= 0, origin,
        "file format");
  check(H5Pset_alignment(list.id(), kAlignment, kAlignment) >= 0, origin, "alignment");
  check(H5Pset_fclose_degree(list.id(), H5F_CLOSE_STRONG) >= 0, origin, "closing");
#if H5_VERSION_GE(1, 10, 7)
  // Locks fail on some network file systems, and nobody writes to a file that is read.
  check(H5Pset_file_locking(list.id(), 0, 1) >= 0, origin, "file locks");
#endif
  return list;
}

hid_t memory_type(Hdf5Type type) {
  switch (type) {
    case Hdf5Type::kFloat32:
      return H5T_NATIVE_FLOAT;
    case Hdf5Type::kFloat64:
      return H5T_NATIVE_DOUBLE;
    case Hdf5Type::kInt64:
      return H5T_NATIVE_INT64;
    case Hdf5Type::kUint8:
      break;
  }
  return H5T_NATIVE_UINT8;
}

hid_t stored_type(Hdf5Type type) {
  switch (type) {
    case Hdf5Type::kFloat32:
      return H5T_IEEE_F32LE;
    case Hdf5Type::kFloat64:
      return H5T_IEEE_F64LE;
    case Hdf5Type::kInt64:
      return H5T_STD_I64LE;
    case Hdf5Type::kUint8:
      break;
  }
  return H5T_STD_U8LE;
}

std::vector<hsize_t> extents(const std::vector<int64_t>& values) {
  return {values.begin(), values.end()};
}

Hdf5Handle make_space(const std::vector<int64_t>& shape, const Hdf5Origin& origin) {
  const std::vector<hsize_t> sizes = extents(shape);
  return own(H5Screate_simple(static_cast<int>(sizes.size()), sizes.data(), nullptr), H5Sclose,
             origin, "data space");
}

/// A space of `shape` with the box [start, start + count) selected.
Hdf5Handle make_box(const std::vector<int64_t>& shape, const std::vector<int64_t>& start,
                    const std::vector<int64_t>& count, const Hdf5Origin& origin) {
  Hdf5Handle space = make_space(shape, origin);
  const std::vector<hsize_t> first = extents(start);
  const std::vector<hsize_t> sizes = extents(count);
  check(H5Sselect_hyperslab(space.id(), H5S_SELECT_SET, first.data(), nullptr, sizes.data(),
                            nullptr) >= 0,
        origin, "selection");
  return space;
}

Hdf5Handle string_type(size_t bytes, const Hdf5Origin& origin) {
  Hdf5Handle type = own(H5Tcopy(H5T_C_S1), H5Tclose, origin, "string type");
  check(H5Tset_size(type.id(), bytes) >= 0 && H5Tset_cset(type.id(), H5T_CSET_UTF8) >= 0 &&
            H5Tset_strpad(type.id(), H5T_STR_NULLPAD) >= 0,
        origin, "string type");
  return type;
}

void write_attribute(const Hdf5Handle& object, const Hdf5Origin& origin, const std::string& name,
                     hid_t stored_type, hid_t memory_type, const void* value) {
  const std::string what = "write attribute " + name;
  const Hdf5Handle space = own(H5Screate(H5S_SCALAR), H5Sclose, origin, what);
  const Hdf5Handle attribute =
      own(H5Acreate2(object.id(), name.c_str(), stored_type, space.id(), H5P_DEFAULT, H5P_DEFAULT),
          H5Aclose, origin, what);
  check(H5Awrite(attribute.id(), memory_type, value) >= 0, origin, what);
}

void write_attribute(const Hdf5Handle& object, const Hdf5Origin& origin, const std::string& name,
                     const std::string& value) {
  prepare_library();
  const std::string padded = value.empty() ? std::string(1, '\0') : value;  // no size 0 in HDF5
  const Hdf5Handle type = string_type(padded.size(), origin);
  write_attribute(object, origin, name, type.id(), type.id(), padded.data());
}

void write_attribute(const Hdf5Handle& object, const Hdf5Origin& origin, const std::string& name,
                     int64_t value) {
  prepare_library();
  write_attribute(object, origin, name, H5T_STD_I64LE, H5T_NATIVE_INT64, &value);
}

std::string read_string(const Hdf5Handle& object, const Hdf5Origin& origin,
                        const std::string& name) {
  prepare_library();
  const std::string what = "read attribute " + name;
  const Hdf5Handle attribute =
      own(H5Aopen(object.id(), name.c_str(), H5P_DEFAULT), H5Aclose, origin, what);
  const Hdf5Handle stored = own(H5Aget_type(attribute.id()), H5Tclose, origin, what);
  if (H5Tget_class(stored.id()) != H5T_STRING || H5Tis_variable_str(stored.id()) != 0) {
    fail(origin,
         concat("attribute ", name, ": expected a string of fixed size, found another type"));
  }
  std::string value(H5Tget_size(stored.id()), '\0');
  check(H5Aread(attribute.id(), string_type(value.size(), origin).id(), value.data()) >= 0, origin,
        what);
  return value.substr(0, value.find('\0'));
}

int64_t read_integer(const Hdf5Handle& object, const Hdf5Origin& origin, const std::string& name) {
  prepare_library();
  const std::string what = "read attribute " + name;
  const Hdf5Handle attribute =
      own(H5Aopen(object.id(), name.c_str(), H5P_DEFAULT), H5Aclose, origin, what);
  const Hdf5Handle stored = own(H5Aget_type(attribute.id()), H5Tclose, origin, what);
  if (H5Tget_class(stored.id()) != H5T_INTEGER) {
    fail(origin, concat("attribute ", name, ": expected an integer, found another type"));
  }
  int64_t value = 0;
  check(H5Aread(attribute.id(), H5T_NATIVE_INT64, &value) >= 0, origin, what);
  return value;
}

}  // namespace

Hdf5Dataset::Hdf5Dataset(Hdf5Handle handle, Hdf5Origin origin)
    : handle_(std::move(handle)), origin_(std::move(origin)) {
  const Hdf5Handle space = own(H5Dget_space(handle_.id()), H5Sclose, origin_, "shape");
  const int dimensions = H5Sget_simple_extent_ndims(space.id());
  check(dimensions >= 0, origin_, "shape");
  std::vector<hsize_t> sizes(static_cast<size_t>(dimensions));
  check(H5Sget_simple_extent_dims(space.id(), sizes.data(), nullptr) >= 0, origin_, "shape");
  shape_.assign(sizes.begin(), sizes.end());
}

int64_t Hdf5Dataset::numel() const noexcept {
  int64_t product = 1;
  for (const int64_t extent : shape_) product *= extent;
  return product;
}

std::vector<int64_t> Hdf5Dataset::part(int64_t first, size_t numel, const char* action) const {
  int64_t row = 1;
  for (size_t d = 1; d < shape_.size(); ++d) row *= shape_[d];
  const auto count = row == 0 ? 0 : static_cast<int64_t>(numel) / row;
  const bool there = !shape_.empty() && row * count == static_cast<int64_t>(numel) && first >= 0 &&
                     count <= shape_[0] - first;
  if (!there) {
    const std::string text = concat(action, " of elements ", first, " to ", first + count,
                                    ": expected a range of its ", shape_.empty() ? 0 : shape_[0]);
    XKDE_CHECK(origin_.use != Hdf5Use::kWriting, InternalError, origin_.place, ": ", text);
    fail(origin_, text);
  }
  std::vector<int64_t> sizes = shape_;
  sizes[0] = count;
  return sizes;
}

void Hdf5Dataset::write_part(int64_t first, size_t numel, Hdf5Type type, const void* values) {
  prepare_library();
  const std::vector<int64_t> sizes = part(first, numel, "write");
  if (numel == 0) return;
  std::vector<int64_t> start(shape_.size(), 0);
  start[0] = first;
  const Hdf5Handle memory = make_space(sizes, origin_);
  const Hdf5Handle stored = make_box(shape_, start, sizes, origin_);
  check(
      H5Dwrite(handle_.id(), memory_type(type), memory.id(), stored.id(), H5P_DEFAULT, values) >= 0,
      origin_, "write");
  // The library keeps chunks back until the dataset is closed. A destructor does that, so nobody
  // would hear there that they could not be written.
  const Hdf5Handle list = own(H5Dget_create_plist(handle_.id()), H5Pclose, origin_, "storage");
  if (H5Pget_layout(list.id()) == H5D_CHUNKED) check(H5Dflush(handle_.id()) >= 0, origin_, "write");
}

void Hdf5Dataset::read_part(int64_t first, size_t numel, Hdf5Type type, void* values) const {
  prepare_library();
  const std::vector<int64_t> sizes = part(first, numel, "read");
  if (numel == 0) return;
  std::vector<int64_t> start(shape_.size(), 0);
  start[0] = first;
  const Hdf5Handle memory = make_space(sizes, origin_);
  const Hdf5Handle stored = make_box(shape_, start, sizes, origin_);
  check(
      H5Dread(handle_.id(), memory_type(type), memory.id(), stored.id(), H5P_DEFAULT, values) >= 0,
      origin_, "read");
}

void Hdf5Dataset::write(int64_t first, std::span<const float> values) {
  write_part(first, values.size(), Hdf5Type::kFloat32, values.data());
}
void Hdf5Dataset::write(int64_t first, std::span<const double> values) {
  write_part(first, values.size(), Hdf5Type::kFloat64, values.data());
}
void Hdf5Dataset::write(int64_t first, std::span<const int64_t> values) {
  write_part(first, values.size(), Hdf5Type::kInt64, values.data());
}
void Hdf5Dataset::write(int64_t first, std::span<const uint8_t> values) {
  write_part(first, values.size(), Hdf5Type::kUint8, values.data());
}
void Hdf5Dataset::read(int64_t first, std::span<float> values) const {
  read_part(first, values.size(), Hdf5Type::kFloat32, values.data());
}
void Hdf5Dataset::read(int64_t first, std::span<double> values) const {
  read_part(first, values.size(), Hdf5Type::kFloat64, values.data());
}
void Hdf5Dataset::read(int64_t first, std::span<int64_t> values) const {
  read_part(first, values.size(), Hdf5Type::kInt64, values.data());
}
void Hdf5Dataset::read(int64_t first, std::span<uint8_t> values) const {
  read_part(first, values.size(), Hdf5Type::kUint8, values.data());
}

bool Hdf5Dataset::stores(Hdf5Type type) const {
  prepare_library();
  const Hdf5Handle stored = own(H5Dget_type(handle_.id()), H5Tclose, origin_, "type");
  return H5Tequal(stored.id(), stored_type(type)) > 0;
}

int64_t Hdf5Dataset::file_offset() const {
  prepare_library();
  const haddr_t address = H5Dget_offset(handle_.id());
  check(address != HADDR_UNDEF, origin_, "place in the file");
  return static_cast<int64_t>(address);
}

void Hdf5Dataset::set_attribute(const std::string& name, const std::string& value) {
  write_attribute(handle_, origin_, name, value);
}
void Hdf5Dataset::set_attribute(const std::string& name, int64_t value) {
  write_attribute(handle_, origin_, name, value);
}
std::string Hdf5Dataset::string_attribute(const std::string& name) const {
  return read_string(handle_, origin_, name);
}
int64_t Hdf5Dataset::integer_attribute(const std::string& name) const {
  return read_integer(handle_, origin_, name);
}

Hdf5File::Hdf5File(Hdf5Handle handle, Hdf5Origin origin)
    : handle_(std::move(handle)), origin_(std::move(origin)) {}

Hdf5File Hdf5File::create(const std::filesystem::path& path) {
  Hdf5Origin origin{.place = path.string(), .use = Hdf5Use::kWriting};
  check_memory(origin.place);
  const Hdf5Handle access = file_access(origin);
  const Hdf5Handle list = own(H5Pcreate(H5P_FILE_CREATE), H5Pclose, origin, "storage");
  check(H5Pset_obj_track_times(list.id(), false) >= 0, origin, "storage");
  Hdf5Handle file = own(H5Fcreate(path.c_str(), H5F_ACC_EXCL, list.id(), access.id()),
                        close_unless_failing, origin, "create");
  return {std::move(file), std::move(origin)};
}

Hdf5File Hdf5File::open(const std::filesystem::path& path, Hdf5Use use) {
  Hdf5Origin origin{.place = path.string(), .use = use};
  check_memory(origin.place);
  const Hdf5Handle access = file_access(origin);
  Hdf5Handle file =
      own(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.id()), H5Fclose, origin, "open");
  return {std::move(file), std::move(origin)};
}

void Hdf5File::create_group(const std::string& name) {
  prepare_library();
  const std::string what = "create group " + name;
  const Hdf5Handle list = own(H5Pcreate(H5P_GROUP_CREATE), H5Pclose, origin_, what);
  check(H5Pset_obj_track_times(list.id(), false) >= 0, origin_, what);
  own(H5Gcreate2(handle_.id(), name.c_str(), H5P_DEFAULT, list.id(), H5P_DEFAULT), H5Gclose,
      origin_, what);
}

void Hdf5File::link(const std::string& name, const std::string& second) {
  prepare_library();
  check(H5Lcreate_hard(handle_.id(), name.c_str(), handle_.id(), second.c_str(), H5P_DEFAULT,
                       H5P_DEFAULT) >= 0,
        origin_, concat("link ", name, " as ", second));
}

Hdf5Dataset Hdf5File::create_flat(const std::string& name, int64_t numel, Hdf5Type type) {
  prepare_library();
  const Hdf5Origin origin{origin_.place + ": " + name, origin_.use};
  check_memory(origin.place);
  XKDE_CHECK(numel > 0, InternalError, origin.place, ": expected elements, found ", numel);
  const Hdf5Handle space = make_space({numel}, origin);
  const Hdf5Handle list = own(H5Pcreate(H5P_DATASET_CREATE), H5Pclose, origin, "storage");
  check(H5Pset_layout(list.id(), H5D_CONTIGUOUS) >= 0 &&
            H5Pset_obj_track_times(list.id(), false) >= 0 &&
            H5Pset_alloc_time(list.id(), H5D_ALLOC_TIME_EARLY) >= 0 &&
            H5Pset_fill_time(list.id(), H5D_FILL_TIME_NEVER) >= 0,
        origin, "storage");
  return {own(H5Dcreate2(handle_.id(), name.c_str(), stored_type(type), space.id(), H5P_DEFAULT,
                         list.id(), H5P_DEFAULT),
              H5Dclose, origin, "create"),
          origin};
}

Hdf5Dataset Hdf5File::create_chunked(const std::string& name, Hdf5Type type,
                                     const std::vector<int64_t>& shape, int64_t chunk_rows) {
  prepare_library();
  const Hdf5Origin origin{origin_.place + ": " + name, origin_.use};
  check_memory(origin.place);
  const std::vector<hsize_t> sizes = extents(shape);
  std::vector<hsize_t> most = sizes;
  std::vector<hsize_t> chunk = sizes;
  most.at(0) = H5S_UNLIMITED;
  chunk.at(0) = static_cast<hsize_t>(chunk_rows);
  const auto dimensions = static_cast<int>(sizes.size());
  const Hdf5Handle space =
      own(H5Screate_simple(dimensions, sizes.data(), most.data()), H5Sclose, origin, "data space");
  const Hdf5Handle list = own(H5Pcreate(H5P_DATASET_CREATE), H5Pclose, origin, "storage");
  check(H5Pset_chunk(list.id(), dimensions, chunk.data()) >= 0 &&
            H5Pset_fletcher32(list.id()) >= 0 && H5Pset_obj_track_times(list.id(), false) >= 0,
        origin, "storage");
  return {own(H5Dcreate2(handle_.id(), name.c_str(), stored_type(type), space.id(), H5P_DEFAULT,
                         list.id(), H5P_DEFAULT),
              H5Dclose, origin, "create"),
          origin};
}

Hdf5Dataset Hdf5File::create_virtual(const std::string& name, const std::vector<int64_t>& shape,
                                     const std::vector<Hdf5Mapping>& mappings) {
  prepare_library();
  const Hdf5Origin origin{origin_.place + ": " + name, origin_.use};
  check_memory(origin.place);
  const Hdf5Handle space = make_space(shape, origin);
  const Hdf5Handle list = own(H5Pcreate(H5P_DATASET_CREATE), H5Pclose, origin, "storage");
  const float missing = std::numeric_limits<float>::quiet_NaN();
  check(H5Pset_obj_track_times(list.id(), false) >= 0 &&
            H5Pset_fill_value(list.id(), H5T_NATIVE_FLOAT, &missing) >= 0,
        origin, "storage");
  for (const Hdf5Mapping& mapping : mappings) {
    int64_t count = 1;
    for (const int64_t extent : mapping.count) count *= extent;
    const Hdf5Handle box = make_box(shape, mapping.start, mapping.count, origin);
    const Hdf5Handle source =
        make_box({mapping.source_numel}, {mapping.source_first}, {count}, origin);
    check(H5Pset_virtual(list.id(), box.id(), mapping.source_file.c_str(),
                         mapping.source_dataset.c_str(), source.id()) >= 0,
          origin, "map " + mapping.source_file);
  }
  return {own(H5Dcreate2(handle_.id(), name.c_str(), H5T_IEEE_F32LE, space.id(), H5P_DEFAULT,
                         list.id(), H5P_DEFAULT),
              H5Dclose, origin, "create"),
          origin};
}

bool Hdf5File::has(const std::string& name) const {
  prepare_library();
  const htri_t found = H5Lexists(handle_.id(), name.c_str(), H5P_DEFAULT);
  check(found >= 0, origin_, "look for " + name);
  return found > 0;
}

Hdf5Dataset Hdf5File::dataset(const std::string& name) const {
  prepare_library();
  const Hdf5Origin origin{origin_.place + ": " + name, origin_.use};
  return {own(H5Dopen2(handle_.id(), name.c_str(), H5P_DEFAULT), H5Dclose, origin, "open"), origin};
}

void Hdf5File::set_attribute(const std::string& name, const std::string& value) {
  write_attribute(handle_, origin_, name, value);
}
void Hdf5File::set_attribute(const std::string& name, int64_t value) {
  write_attribute(handle_, origin_, name, value);
}
std::string Hdf5File::string_attribute(const std::string& name) const {
  return read_string(handle_, origin_, name);
}
int64_t Hdf5File::integer_attribute(const std::string& name) const {
  return read_integer(handle_, origin_, name);
}

void Hdf5File::close() {
  prepare_library();
  check(H5Fclose(handle_.release()) >= 0, origin_, "close");
}

std::string hdf5_version() {
  prepare_library();  // this call, too, would start the library with its handler at exit
  unsigned major = 0;
  unsigned minor = 0;
  unsigned release = 0;
  H5get_libversion(&major, &minor, &release);
  return std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(release);
}

}  // namespace xkde
