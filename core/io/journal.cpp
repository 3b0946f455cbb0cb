#include "core/io/journal.h"

#include <cstring>
#include <optional>
#include <string>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/io/file_reader.h"
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

/// The whole entry at byte `at` of a file of `size` bytes; none when it is cut off or damaged.
std::optional<std::string> payload_at(const FileHandle& file, int64_t at, int64_t size) {
  constexpr auto kHeader = static_cast<int64_t>(kHeaderBytes);
  if (size - at < kHeader) return std::nullopt;
  std::string header(kHeaderBytes, '\0');
  file.pread_all(header, at);
  const std::optional<uint64_t> length = length_at(header);
  if (!length || *length > static_cast<uint64_t>(size - at - kHeader)) return std::nullopt;
  std::string payload(*length, '\0');
  file.pread_all(payload, at + kHeader);
  const std::string digits = sha256_hex(payload).substr(0, kPayloadDigits);
  if (header.substr(kLengthEnd + kHeadDigits) != digits) return std::nullopt;
  return payload;
}

bool has_header(std::string_view bytes) {
  for (size_t at = bytes.find(kMagic); at != bytes.npos; at = bytes.find(kMagic, at + 1)) {
    if (length_at(bytes.substr(at))) return true;
  }
  return false;
}

/// How many of the `size` bytes are those of whole entries.
int64_t visit_entries(const FileHandle& file, int64_t size, const Journal::Visit& visit) {
  int64_t at = 0;
  while (const auto payload = payload_at(file, at, size)) {
    visit(*payload);
    at += static_cast<int64_t>(kHeaderBytes) + std::ssize(*payload);
  }
  if (at == size) return at;
  // Each entry is durable before the next one is begun: only the last can be incomplete.
  std::string rest(static_cast<size_t>(size - at - 1), '\0');
  file.pread_all(rest, at + 1);
  XKDE_CHECK(!has_header(rest), DataError, file.path().string(),
             ": expected a whole entry at byte ", at,
             ", found a damaged one with others behind it");
  return at;
}

}  // namespace

Journal::Journal(fs::path path, Use use, const Visit& visit) {
  const bool reads = use == Use::kRead;
  const bool is_new = !is_there(path, FileOrigin::kOwn);
  if (reads && is_new) return;
  file_ = FileHandle::open(path, reads ? OpenMode::kRead : OpenMode::kKeep);
  lock(use);
  if (is_new) sync_folder_of(path);
  const int64_t size = file_.status().bytes;
  bytes_ = visit_entries(file_, size, visit);
  if (reads || bytes_ == size) return;
  log::warning(concat(path.string(), ": cuts off ", size - bytes_,
                      " bytes of an entry that was never finished"));
  cut(bytes_);
}

void Journal::lock(Use use) const {
  const bool appends = use == Use::kAppend;
  XKDE_CHECK(file_.try_lock(appends ? LockKind::kExclusive : LockKind::kShared), IoError,
             file_.path().string(), ": expected ", appends ? "to be its only user" : "no writer",
             ", found it in use by another");
}

void Journal::cut(int64_t bytes) const {
  file_.truncate(bytes);
  file_.sync();
}

void Journal::append(std::string_view payload) {
  std::string entry = header_of(payload);
  entry += payload;
  try {
    file_.pwrite_all(entry, bytes_);
    file_.sync_data();
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
