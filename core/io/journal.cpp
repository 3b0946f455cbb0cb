#include "core/io/journal.h"

#include <cstring>
#include <optional>
#include <string>

#include "core/base/error.h"
#include "core/base/log.h"
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

}  // namespace

Journal::Journal(fs::path path, Use use, const Visit& visit) {
  const bool reads = use == Use::kRead;
  const bool is_new = !fs::exists(path);
  if (reads && is_new) return;
  file_ = FileHandle::open(path, reads ? OpenMode::kRead : OpenMode::kKeep);
  lock(use);
  if (is_new) sync_folder_of(path);
  if (file_.status().bytes == 0) return;
  const MappedFile mapped(path);
  const std::string_view bytes(reinterpret_cast<const char*>(mapped.bytes().data()),
                               mapped.bytes().size());
  bytes_ = static_cast<int64_t>(visit_entries(path, bytes, visit));
  if (reads || bytes_ == std::ssize(bytes)) return;
  log::warning(concat(path.string(), ": cuts off ", std::ssize(bytes) - bytes_,
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
