#include "core/io/numpy/npz_file.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <zlib.h>

#include "core/base/error.h"
#include "core/io/file_reader.h"

namespace xkde {
namespace {

static_assert(std::endian::native == std::endian::little, "numbers are read as they are stored");

constexpr int64_t kEndBytes = 22, kLocatorBytes = 20, kWideEndBytes = 56;
constexpr int64_t kEntryBytes = 46, kLocalBytes = 30, kMostComment = 0xFFFF;
constexpr int64_t kMostListBytes = 1 << 20;
constexpr size_t kMostHeader = 1 << 16;
constexpr uint32_t kInWideExtra = 0xFFFFFFFF;  ///< the number stands in the extra field
constexpr uint16_t kWideExtra = 1;
constexpr uint16_t kEncrypted = 1;
constexpr uint16_t kStored = 0, kDeflated = 8;
/// No more comes out of a byte of deflate.
constexpr int64_t kMostOutOfAByte = 1032;
constexpr size_t kPiece = 1 << 16;

template <typename T>
T number_at(std::string_view bytes, size_t at) {
  T value{};
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

std::string bytes_at(const FileHandle& file, int64_t at, int64_t count, int64_t size,
                     const char* what) {
  XKDE_CHECK(at >= 0 && count >= 0 && at <= size && count <= size - at, DataError,
             file.path().string(), ": expected ", what, " within the file's ", size,
             " bytes, found bytes ", at, " to ",
             static_cast<uint64_t>(at) + static_cast<uint64_t>(count));
  std::string bytes(static_cast<size_t>(count), '\0');
  file.pread_all(bytes, at);
  return bytes;
}

/// Where the list of members lies.
struct MemberList {
  int64_t begin = 0;
  int64_t bytes = 0;
};

MemberList find_list(const FileHandle& file, int64_t size) {
  const std::string name = file.path().string();
  const int64_t tail_bytes = std::min(size, kEndBytes + kMostComment);
  const std::string tail = bytes_at(file, size - tail_bytes, tail_bytes, size, "an end");
  const size_t end = tail.rfind("PK\5\6");
  XKDE_CHECK(end != std::string::npos && tail.size() - end >= kEndBytes, DataError, name,
             ": expected a zip file of arrays (.npz), found no end of one");
  MemberList list{number_at<uint32_t>(tail, end + 16), number_at<uint32_t>(tail, end + 12)};
  const bool is_wide = end >= kLocatorBytes && tail.substr(end - kLocatorBytes, 4) == "PK\6\7";
  if (is_wide) {
    const auto at = number_at<int64_t>(tail, end - kLocatorBytes + 8);
    const std::string wide = bytes_at(file, at, kWideEndBytes, size, "the end of a zip64 file");
    XKDE_CHECK(wide.starts_with("PK\6\6"), DataError, name,
               ": expected the end of a zip64 file at byte ", at, ", found another");
    list = {number_at<int64_t>(wide, 48), number_at<int64_t>(wide, 40)};
  }
  XKDE_CHECK(list.bytes <= kMostListBytes, DataError, name,
             ": expected a list of members of at most ", kMostListBytes, " bytes, found ",
             list.bytes);
  return list;
}

/// Puts the numbers of a zip64 field in the place of those that are marked.
void widen(std::string_view extra, const std::vector<int64_t*>& marked, const std::string& place) {
  while (!marked.empty() && extra.size() >= 4) {
    const auto count = number_at<uint16_t>(extra, 2);
    XKDE_CHECK(count <= extra.size() - 4, DataError, place, ": expected an extra field of at most ",
               extra.size() - 4, " bytes, found ", count);
    if (number_at<uint16_t>(extra, 0) == kWideExtra) {
      XKDE_CHECK(count >= marked.size() * sizeof(int64_t), DataError, place, ": expected ",
                 marked.size(), " long numbers, found ", count, " bytes");
      for (size_t i = 0; i < marked.size(); ++i)
        *marked[i] = number_at<int64_t>(extra, 4 + i * sizeof(int64_t));
      return;
    }
    extra.remove_prefix(4 + count);
  }
  XKDE_CHECK(marked.empty(), DataError, place, ": expected long numbers, found none");
}

void check_member(const NpzFile::Member& member, int64_t file_size, const std::string& place) {
  XKDE_CHECK(member.bytes >= 0 && member.stored >= 0 && member.stored <= file_size, DataError,
             place, ": expected a size within the file's ", file_size, " bytes, found ",
             member.stored);
  const int64_t most = member.is_deflated
                           ? member.stored * std::min(kMostOutOfAByte, INT64_MAX / (file_size + 1))
                           : member.stored;
  XKDE_CHECK(member.is_deflated ? member.bytes <= most : member.bytes == most, DataError, place,
             ": expected ", member.is_deflated ? "at most " : "", most, " bytes, found ",
             member.bytes);
}

/// The bytes of a member, one after another.
class MemberReader {
 public:
  MemberReader(const FileHandle& file, const NpzFile::Member& member, std::string place)
      : file_(file), member_(member), place_(std::move(place)), left_(member.stored) {
    const int64_t size = file.status().bytes;
    const std::string local = bytes_at(file, member.header, kLocalBytes, size, "a member");
    XKDE_CHECK(local.starts_with("PK\3\4"), DataError, place_, ": expected a member at byte ",
               member.header, ", found other bytes");
    at_ = member.header + kLocalBytes + number_at<uint16_t>(local, 26) +
          number_at<uint16_t>(local, 28);
    if (member.is_deflated) {
      stream_.emplace();
      // No header of zlib's own stands before the data.
      XKDE_CHECK(inflateInit2(&*stream_, -MAX_WBITS) == Z_OK, MemoryError, place_,
                 ": no memory left to inflate it with");
    }
  }
  MemberReader(const MemberReader&) = delete;
  MemberReader& operator=(const MemberReader&) = delete;
  ~MemberReader() {
    if (stream_) inflateEnd(&*stream_);
  }

  void read(std::span<char> out) {
    if (stream_) {
      inflate_into(out);
    } else {
      take(out);
    }
    crc_ = static_cast<uint32_t>(
        crc32_z(crc_, reinterpret_cast<const Bytef*>(out.data()), out.size()));
    told_ += std::ssize(out);
  }
  /// To be called when all that matters has been read, which must be all there is.
  void finish() const {
    XKDE_CHECK(told_ == member_.bytes, DataError, place_, ": expected ", told_,
               " bytes of its shape, found ", member_.bytes);
    XKDE_CHECK(crc_ == member_.crc, DataError, place_, ": expected CRC ",
               fmt::format("{:08x}, found {:08x}", member_.crc, crc_));
  }
  int64_t unread() const noexcept { return member_.bytes - told_; }
  const std::string& place() const noexcept { return place_; }

 private:
  void take(std::span<char> out) {
    const auto count = std::ssize(out);
    XKDE_CHECK(count <= left_, DataError, place_, ": expected ", count, " more bytes, found ",
               left_);
    const int64_t size = file_.status().bytes;
    XKDE_CHECK(at_ <= size && count <= size - at_, DataError, place_, ": expected ", count,
               " more bytes, found the file's end");
    file_.pread_all(out, at_);
    at_ += count;
    left_ -= count;
  }

  void inflate_into(std::span<char> out) {
    stream_->next_out = reinterpret_cast<Bytef*>(out.data());
    // Pieces are far smaller than what its counter holds.
    stream_->avail_out = static_cast<uInt>(out.size());
    while (stream_->avail_out > 0) {
      if (stream_->avail_in == 0 && left_ > 0) {
        piece_.resize(std::min(kPiece, static_cast<size_t>(left_)));
        take(piece_);
        stream_->next_in = reinterpret_cast<Bytef*>(piece_.data());
        stream_->avail_in = static_cast<uInt>(piece_.size());
      }
      const int result = inflate(&*stream_, Z_NO_FLUSH);
      XKDE_CHECK(result == Z_OK || (result == Z_STREAM_END && stream_->avail_out == 0), DataError,
                 place_, ": expected deflated bytes, found ",
                 result == Z_STREAM_END ? "their end" : "others");
    }
  }

  const FileHandle& file_;
  NpzFile::Member member_;
  std::string place_;
  int64_t at_ = 0;
  int64_t left_;
  int64_t told_ = 0;
  uint32_t crc_ = 0;
  std::optional<z_stream> stream_;
  std::string piece_;
};

/// What stands before an array's numbers.
struct NpyHeader {
  std::string type;  ///< "<f4"
  std::vector<int64_t> shape;
};

/// Reads the literal of a Python dict with the three keys that NumPy writes.
class HeaderText {
 public:
  HeaderText(std::string_view text, const std::string& place) : left_(text), place_(place) {}

  NpyHeader parse() {
    NpyHeader header;
    bool has_type = false, has_shape = false;
    expect('{');
    while (!accept('}')) {
      const std::string key = quoted();
      expect(':');
      if (key == "descr") {
        header.type = quoted();
        has_type = true;
      } else if (key == "fortran_order") {
        XKDE_CHECK(word() == "False", DataError, place_,
                   ": expected rows one behind the other (C order), found another order");
      } else if (key == "shape") {
        header.shape = shape();
        has_shape = true;
      } else {
        fail("a known key");
      }
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    if (!has_type || !has_shape) fail("descr and shape");
    return header;
  }

 private:
  [[noreturn]] void fail(const std::string& expected) const {
    throw DataError(concat(place_, ": header: expected ", expected, ", found ",
                           left_.empty() ? "its end" : "other text"));
  }
  void skip_blanks() {
    while (!left_.empty() && (left_.front() == ' ' || left_.front() == '\n'))
      left_.remove_prefix(1);
  }
  bool accept(char mark) {
    skip_blanks();
    if (left_.empty() || left_.front() != mark) return false;
    left_.remove_prefix(1);
    return true;
  }
  void expect(char mark) {
    if (!accept(mark)) fail(std::string(1, mark));
  }
  std::string quoted() {
    expect('\'');
    const size_t end = left_.find('\'');
    if (end == std::string_view::npos) fail("a closing quote");
    std::string text(left_.substr(0, end));
    left_.remove_prefix(end + 1);
    return text;
  }
  std::string word() {
    skip_blanks();
    std::string text(left_.substr(0, left_.find_first_of(",} ")));
    left_.remove_prefix(text.size());
    return text;
  }
  std::vector<int64_t> shape() {
    std::vector<int64_t> extents;
    expect('(');
    while (!accept(')')) {
      skip_blanks();
      const size_t digits = std::min(left_.find_first_not_of("0123456789"), left_.size());
      if (digits == 0 || digits > 12 || extents.size() >= 8) fail("a shape");
      extents.push_back(std::stoll(std::string(left_.substr(0, digits))));
      left_.remove_prefix(digits);
      if (!accept(',')) {
        expect(')');
        break;
      }
    }
    return extents;
  }

  std::string_view left_;
  const std::string& place_;
};

NpyHeader read_header(MemberReader& reader) {
  std::string start(10, '\0');
  reader.read(start);
  const char version = start[6];
  XKDE_CHECK(start.starts_with("\x93NUMPY") && version >= 1 && version <= 3, DataError,
             reader.place(), ": expected an array of NumPy's format 1 to 3, found other bytes");
  size_t count = number_at<uint16_t>(start, 8);
  if (version > 1) {
    std::string rest(2, '\0');
    reader.read(rest);
    count |= static_cast<size_t>(number_at<uint16_t>(rest, 0)) << 16U;
  }
  XKDE_CHECK(count <= kMostHeader, DataError, reader.place(), ": expected a header of at most ",
             kMostHeader, " bytes, found ", count);
  std::string text(count, '\0');
  reader.read(text);
  return HeaderText(text, reader.place()).parse();
}

/// `out` from numbers that are stored as T.
template <typename T>
void read_as(MemberReader& reader, std::span<double> out) {
  std::vector<T> piece(std::min(out.size(), kPiece));
  for (size_t first = 0; first < out.size(); first += piece.size()) {
    piece.resize(std::min(piece.size(), out.size() - first));
    reader.read({reinterpret_cast<char*>(piece.data()), piece.size() * sizeof(T)});
    std::copy(piece.begin(), piece.end(), out.begin() + static_cast<std::ptrdiff_t>(first));
  }
}

}  // namespace

NpzFile::NpzFile(FileHandle file) : file_(std::move(file)) {
  const std::string path = file_.path().string();
  const int64_t size = file_.status().bytes;
  const MemberList where = find_list(file_, size);
  const std::string list = bytes_at(file_, where.begin, where.bytes, size, "a list of members");
  size_t at = 0;
  while (at + kEntryBytes <= list.size()) {
    const std::string_view entry = std::string_view(list).substr(at);
    XKDE_CHECK(entry.starts_with("PK\1\2"), DataError, path,
               ": expected a member in the list, found other bytes");
    const size_t name_bytes = number_at<uint16_t>(entry, 28);
    const size_t extra_bytes = number_at<uint16_t>(entry, 30);
    const size_t all = kEntryBytes + name_bytes + extra_bytes + number_at<uint16_t>(entry, 32);
    XKDE_CHECK(all <= entry.size(), DataError, path, ": expected a member of at most ",
               entry.size(), " bytes in the list, found ", all);
    std::string name(entry.substr(kEntryBytes, name_bytes));
    at += all;
    if (!name.ends_with(".npy")) continue;
    name.resize(name.size() - 4);
    const std::string place = place_of(name);
    const auto method = number_at<uint16_t>(entry, 10);
    XKDE_CHECK((method == kStored || method == kDeflated) &&
                   (number_at<uint16_t>(entry, 8) & kEncrypted) == 0,
               DataError, place, ": expected a member that is stored or deflated, found method ",
               method);
    Member member{.header = number_at<uint32_t>(entry, 42),
                  .stored = number_at<uint32_t>(entry, 20),
                  .bytes = number_at<uint32_t>(entry, 24),
                  .crc = number_at<uint32_t>(entry, 16),
                  .is_deflated = method == kDeflated};
    std::vector<int64_t*> marked;
    for (int64_t* value : {&member.bytes, &member.stored, &member.header}) {
      if (*value == kInWideExtra) marked.push_back(value);
    }
    widen(entry.substr(kEntryBytes + name_bytes, extra_bytes), marked, place);
    check_member(member, size, place);
    XKDE_CHECK(members_.emplace(std::move(name), member).second, DataError, place,
               ": expected one array of this name, found another");
  }
}

NpzFile NpzFile::open(const std::filesystem::path& path) {
  return NpzFile(open_to_read(path, FileOrigin::kInput));
}

std::vector<std::string> NpzFile::names() const {
  std::vector<std::string> names;
  for (const auto& [name, member] : members_) names.push_back(name);
  return names;
}

std::string NpzFile::place_of(const std::string& name) const {
  return file_.path().string() + ": " + name;
}

const NpzFile::Member& NpzFile::member(const std::string& name) const {
  const auto found = members_.find(name);
  XKDE_CHECK(found != members_.end(), DataError, file_.path().string(), ": expected an array ",
             name, ", found ",
             members_.empty() ? "none" : fmt::format("{}", fmt::join(names(), ", ")));
  return found->second;
}

void NpzFile::read(const std::string& name, const std::vector<int64_t>& shape,
                   std::span<double> out) const {
  MemberReader reader(file_, member(name), place_of(name));
  const NpyHeader header = read_header(reader);
  XKDE_CHECK(
      header.shape == shape, DataError, reader.place(), ": expected shape ",
      fmt::format("[{}], found [{}]", fmt::join(shape, ", "), fmt::join(header.shape, ", ")));
  XKDE_CHECK(header.type == "<f4" || header.type == "<f8", DataError, reader.place(),
             ": expected numbers of type <f4 or <f8, found ", header.type);
  if (header.type == "<f4") {
    read_as<float>(reader, out);
  } else {
    read_as<double>(reader, out);
  }
  reader.finish();
}

int64_t NpzFile::read_integer(const std::string& name) const {
  MemberReader reader(file_, member(name), place_of(name));
  const NpyHeader header = read_header(reader);
  const bool is_one = std::ranges::all_of(header.shape, [](int64_t n) { return n == 1; });
  const bool is_long = header.type == "<i8";
  XKDE_CHECK(is_one && (is_long || header.type == "<i4"), DataError, reader.place(),
             ": expected one number of type <i8 or <i4, found ", header.type, " ",
             fmt::format("[{}]", fmt::join(header.shape, ", ")));
  int64_t value = 0;
  if (is_long) {
    reader.read({reinterpret_cast<char*>(&value), sizeof value});
  } else {
    int32_t narrow = 0;
    reader.read({reinterpret_cast<char*>(&narrow), sizeof narrow});
    value = narrow;
  }
  reader.finish();
  return value;
}

}  // namespace xkde
