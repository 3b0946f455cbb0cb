#include "core/io/journal.h"

#include <cerrno>
#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/io/atomic_file.h"
#include "core/io/mapped_file.h"
#include "core/io/sha256.h"

namespace xkde {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMagic = "XKDEJRN1";
constexpr size_t kLengthEnd = kMagic.size() + sizeof(uint64_t);
constexpr size_t kHeadDigits = 16;
constexpr size_t kPayloadDigits = 32;
constexpr size_t kHeaderBytes = kLengthEnd + kHeadDigits + kPayloadDigits;

std::string header_of(std::string_view payload) {
  const uint64_t length = payload.size();
  std::string header(kMagic);
  header.append(reinterpret_cast<const char*>(&length), sizeof length);
  header += sha256_hex(header).substr(0, kHeadDigits);
  header += sha256_hex(payload).substr(0, kPayloadDigits);
  return header;
}

/// The length of the payload behind the header at the beginning of `bytes`; none when that is no
/// header.
std::optional<uint64_t> length_at(std::string_view bytes) {
  if (bytes.size() < kHeaderBytes || !bytes.starts_with(kMagic)) return std::nullopt;
  const std::string digits = sha256_hex(bytes.substr(0, kLengthEnd)).substr(0, kHeadDigits);
  if (bytes.substr(kLengthEnd, kHeadDigits) != digits) return std::nullopt;
  uint64_t length = 0;
  std::memcpy(&length, bytes.data() + kMagic.size(), sizeof length);
  return length;
}

/// The whole entry at the beginning of `bytes`; none when it is cut off or damaged.
std::optional<std::string_view> payload_at(std::string_view bytes) {
  const std::optional<uint64_t> length = length_at(bytes);
  if (!length || *length > bytes.size() - kHeaderBytes) return std::nullopt;
  const std::string_view payload = bytes.substr(kHeaderBytes, *length);
  const std::string digits = sha256_hex(payload).substr(0, kPayloadDigits);
  if (bytes.substr(kLengthEnd + kHeadDigits, kPayloadDigits) != digits) return std::nullopt;
  return payload;
}

bool has_header(std::string_view bytes) {
  for (size_t at = bytes.find(kMagic); at != bytes.npos; at = bytes.find(kMagic, at + 1)) {
    if (length_at(bytes.substr(at))) return true;
  }
  return false;
}

/// How many bytes of whole entries there are.
size_t visit_entries(const fs::path& path, std::string_view bytes, const Journal::Visit& visit) {
  size_t at = 0;
  while (const auto payload = payload_at(bytes.substr(at))) {
    visit(*payload);
    at += kHeaderBytes + payload->size();
  }
  // Each entry is durable before the next one is begun: only the last can be incomplete.
  XKDE_CHECK(at == bytes.size() || !has_header(bytes.substr(at + 1)), DataError, path.string(),
             ": expected a whole entry at byte ", at,
             ", found a damaged one with others behind it");
  return at;
}

std::string system_error() { return std::strerror(errno); }

}  // namespace

Journal::Journal(fs::path path, Use use, const Visit& visit) : path_(std::move(path)) {
  const bool reads = use == Use::kRead;
  if (reads && !fs::exists(path_)) return;
  const bool is_new = !fs::exists(path_);
  file_ = ::open(path_.c_str(), (reads ? O_RDONLY : O_RDWR | O_CREAT) | O_CLOEXEC, 0644);
  XKDE_CHECK(file_ >= 0, IoError, path_.string(), ": expected to open it, found ", system_error());
  try {
    lock(use);
    if (is_new) sync_path(path_.has_parent_path() ? path_.parent_path() : ".");
    struct stat status {};
    XKDE_CHECK(::fstat(file_, &status) == 0, IoError, path_.string(), ": ", system_error());
    if (status.st_size == 0) return;
    const MappedFile mapped(path_);
    const std::string_view bytes(reinterpret_cast<const char*>(mapped.bytes().data()),
                                 mapped.bytes().size());
    bytes_ = static_cast<int64_t>(visit_entries(path_, bytes, visit));
    if (reads || bytes_ == std::ssize(bytes)) return;
    log::warning(concat(path_.string(), ": cuts off ", std::ssize(bytes) - bytes_,
                        " bytes of an entry that was never finished"));
    cut(bytes_);
  } catch (...) {
    ::close(file_);
    throw;
  }
}

Journal::Journal(Journal&& other) noexcept
    : path_(std::move(other.path_)),
      file_(std::exchange(other.file_, -1)),
      bytes_(std::exchange(other.bytes_, 0)) {}

Journal& Journal::operator=(Journal&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(file_, other.file_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

Journal::~Journal() {
  if (file_ >= 0) ::close(file_);
}

void Journal::lock(Use use) const {
  const int kind = use == Use::kAppend ? LOCK_EX : LOCK_SH;
  if (::flock(file_, kind | LOCK_NB) == 0) return;
  XKDE_CHECK(errno == EWOULDBLOCK, IoError, path_.string(), ": flock: ", system_error());
  throw IoError(concat(path_.string(), ": expected ",
                       use == Use::kAppend ? "to be its only user" : "no writer",
                       ", found it in use by another"));
}

void Journal::cut(int64_t bytes) const {
  XKDE_CHECK(::ftruncate(file_, bytes) == 0 && ::fsync(file_) == 0, IoError, path_.string(),
             ": expected to cut it to ", bytes, " bytes, found ", system_error());
}

void Journal::append(std::string_view payload) {
  std::string entry = header_of(payload);
  entry += payload;
  try {
    int64_t at = bytes_;
    for (std::string_view left = entry; !left.empty();) {
      const ssize_t written = ::pwrite(file_, left.data(), left.size(), at);
      if (written < 0 && errno == EINTR) continue;
      XKDE_CHECK(written > 0, IoError, path_.string(), ": expected to write ", left.size(),
                 " more bytes, found ", system_error());
      left.remove_prefix(static_cast<size_t>(written));
      at += written;
    }
    XKDE_CHECK(::fdatasync(file_) == 0, IoError, path_.string(), ": fdatasync: ", system_error());
  } catch (...) {
    cut(bytes_);
    throw;
  }
  bytes_ += std::ssize(entry);
}

void Journal::clear() {
  cut(0);
  bytes_ = 0;
}

}  // namespace xkde
