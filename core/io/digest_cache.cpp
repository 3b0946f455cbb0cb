#include "core/io/digest_cache.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <exception>
#include <string_view>
#include <utility>

#include <sys/stat.h>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/io/atomic_file.h"
#include "core/io/file_reader.h"
#include "core/io/json_file.h"
#include "core/io/sha256.h"

namespace xkde {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kFormat = 1;
constexpr int64_t kSecondNs = 1'000'000'000;

int64_t nanoseconds(const struct timespec& time) { return time.tv_sec * kSecondNs + time.tv_nsec; }

int64_t now_ns() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
}

DigestCache::FileState state_of(const fs::path& path) {
  struct stat found = {};
  const bool is_there = ::stat(path.c_str(), &found) == 0;
  XKDE_CHECK(is_there || (errno != ENOENT && errno != ENOTDIR), MissingInputError, path.string(),
             ": not there");
  XKDE_CHECK(is_there, IoError, path.string(), ": cannot be looked at: ", std::strerror(errno));
  return {.bytes = found.st_size,
          .modified_ns = nanoseconds(found.st_mtim),
          .changed_ns = nanoseconds(found.st_ctim),
          .device = found.st_dev,
          .inode = found.st_ino};
}

bool is_digest(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

/// Text as JSON, whatever bytes a path has: a path that is no UTF-8 is not found again.
std::string text_of(const Json& json) {
  return json.dump(1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
}

std::string checksum_of(const Json& files, const Json& derived) {
  return sha256_hex(text_of(files) + (derived.empty() ? "" : text_of(derived)));
}

}  // namespace

DigestCache::DigestCache(fs::path file, const Options& options)
    : file_(std::move(file)), settle_ns_(options.settle_time.count()) {
  if (!options.trust_kept || !is_there(file_, FileOrigin::kOwn)) return;
  try {
    read();
  } catch (const std::exception& error) {
    kept_.clear();
    log::warning(concat("digests of an earlier start are passed over: ", error.what()));
  }
}

void DigestCache::read() {
  const Json all = read_json_file(file_);
  const Json& files = all.at("files");
  const Json derived = all.value("derived", Json::object());
  XKDE_CHECK(all.at("format") == kFormat && all.at("sha256") == checksum_of(files, derived),
             DataError, file_.string(), ": expected its own checksum, found another");
  for (const auto& [path, kept] : files.items()) {
    Entry entry{.state = {.bytes = kept.at("bytes").get<int64_t>(),
                          .modified_ns = kept.at("modified_ns").get<int64_t>(),
                          .changed_ns = kept.at("changed_ns").get<int64_t>(),
                          .device = kept.at("device").get<uint64_t>(),
                          .inode = kept.at("inode").get<uint64_t>()},
                .sha256 = kept.at("sha256").get<std::string>()};
    XKDE_CHECK(is_digest(entry.sha256), DataError, file_.string(), ": ", path,
               ": expected 64 hexadecimal digits, found ", entry.sha256);
    kept_.emplace(path, std::move(entry));
  }
  kept_derived_ = derived.get<std::map<std::string, std::string>>();
}

const std::string& DigestCache::digest_of(const fs::path& path) {
  const std::string key = fs::absolute(path).string();
  const auto [place, is_new] = known_.try_emplace(key);
  Entry& entry = place->second;
  if (!is_new) return entry.sha256;
  try {
    entry.state = state_of(path);
    const auto kept = kept_.find(key);
    if (kept != kept_.end() && kept->second.state == entry.state) {
      entry.sha256 = kept->second.sha256;
      return entry.sha256;
    }
    const int64_t start = now_ns();
    entry.sha256 = sha256_of_file(path);
    ++files_read_;
    const int64_t newest = std::max(entry.state.modified_ns, entry.state.changed_ns);
    entry.may_be_kept = start - newest >= settle_ns_ && state_of(path) == entry.state;
  } catch (...) {
    known_.erase(place);
    throw;
  }
  return entry.sha256;
}

int64_t DigestCache::bytes_to_read(const fs::path& path) const {
  const std::string key = fs::absolute(path).string();
  if (known_.contains(key) || !is_there(path, FileOrigin::kInput)) return 0;
  const FileState state = state_of(path);
  const auto kept = kept_.find(key);
  return kept != kept_.end() && kept->second.state == state ? 0 : state.bytes;
}

const std::string& DigestCache::derived(const std::string& key,
                                        const std::function<std::string()>& make) {
  const auto known = derived_.find(key);
  if (known != derived_.end()) return known->second;
  const auto kept = kept_derived_.find(key);
  return derived_[key] = kept == kept_derived_.end() ? make() : kept->second;
}

void DigestCache::save() const {
  Json files = Json::object();
  for (const auto& [path, entry] : known_) {
    if (!entry.may_be_kept) continue;
    files[path] = {{"bytes", entry.state.bytes},           {"modified_ns", entry.state.modified_ns},
                   {"changed_ns", entry.state.changed_ns}, {"device", entry.state.device},
                   {"inode", entry.state.inode},           {"sha256", entry.sha256}};
  }
  const Json derived(derived_);
  Json all{{"format", kFormat}, {"sha256", checksum_of(files, derived)}};
  all["files"] = std::move(files);
  if (!derived_.empty()) all["derived"] = derived;
  write_file_atomically(file_, text_of(all) + "\n");
}

}  // namespace xkde
