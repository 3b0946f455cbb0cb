#include "core/io/direct_file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/stopwatch.h"

namespace xkde {
namespace fs = std::filesystem;
namespace {

constexpr size_t kChunkBytes = size_t{4} << 20;  // of one write
constexpr size_t kHashBytes = size_t{1} << 20;   // hashed while the cache holds what was copied
constexpr size_t kMostBuffers = 3;               // one is filled, one written, one waits

static_assert(kChunkBytes % DirectFile::kBlockBytes == 0);

void check(bool good, const fs::path& path, const char* what) {
  XKDE_CHECK(good, IoError, path.string(), ": cannot ", what, ": ", std::strerror(errno));
}

bool is_aligned(const void* data) {
  return reinterpret_cast<uintptr_t>(data) % DirectFile::kBlockBytes == 0;
}

int open_file(const fs::path& path, int flags) {
  return ::open(path.c_str(), flags | O_NOFOLLOW | O_CLOEXEC);
}

int open_for_writing(const fs::path& path) {
  const int fd = open_file(path, O_WRONLY | O_DIRECT);
  return fd >= 0 || errno != EINVAL ? fd : open_file(path, O_WRONLY);
}

/// Finds a full disk early, and spares a file system that allocates on writing the small steps.
void reserve(int fd, int64_t bytes, const fs::path& path) {
  int status = 0;
  do {
    status = bytes > 0 ? ::fallocate(fd, 0, 0, bytes) : 0;
  } while (status != 0 && errno == EINTR);
  check(status == 0 || errno == EOPNOTSUPP || errno == ENOSYS, path, "reserve space for");
}

}  // namespace

DirectFile::DirectFile(const fs::path& path, std::stop_token stop, Pace* pace)
    : path_(path),
      stop_(std::move(stop)),
      pace_(pace),
      file_(open_for_writing(path)),
      frame_(open_file(path, O_RDONLY)) {
  check(file_.fd() >= 0 && frame_.fd() >= 0, path_, "open");
  struct stat info {};
  check(::fstat(file_.fd(), &info) == 0, path_, "inspect");
  check(::fchmod(file_.fd(), info.st_mode & 0640) == 0, path_, "change the mode of");
  size_ = info.st_size;
  reserve(file_.fd(), size_, path_);
  writer_ = std::thread([this] { write_pieces(); });
}

DirectFile::~DirectFile() {
  {
    const std::lock_guard lock(mutex_);
    pieces_.clear();
    closing_ = true;
  }
  changed_.notify_all();
  if (writer_.joinable()) writer_.join();
}

void DirectFile::append(const void* data, size_t bytes) {
  const char* next = static_cast<const char*>(data);
  while (bytes > 0) {
    const Stopwatch watch;
    size_t size = 0;
    if (buffered_ % kBlockBytes == 0 && is_aligned(next) && bytes >= kBlockBytes) {
      flush_buffer(buffered_);
      size = std::min(bytes / kBlockBytes * kBlockBytes, kChunkBytes);
      submit({.data = next, .bytes = size, .position = position_, .owner = nullptr});
      hash_.update(next, size);
      position_ += static_cast<int64_t>(size);
    } else {
      size = std::min({bytes, kChunkBytes - buffered_, kHashBytes});
      copy_in(next, size);
    }
    next += size;
    bytes -= size;
    if (pace_ != nullptr) pace_->rest_after(watch.seconds(), stop_);
  }
}

void DirectFile::keep_until(int64_t end) {
  std::vector<char> piece(kBlockBytes);
  while (position_ < end) {
    const auto want =
        std::min({piece.size(), static_cast<size_t>(end - position_), kChunkBytes - buffered_});
    const ssize_t got = ::pread(frame_.fd(), piece.data(), want, position_);
    if (got < 0 && errno == EINTR) continue;
    check(got >= 0, path_, "read");
    XKDE_CHECK(got > 0, IoError, path_.string(), ": expected ", end, " bytes, found ", position_);
    copy_in(piece.data(), static_cast<size_t>(got));
  }
}

void DirectFile::copy_in(const char* data, size_t bytes) {
  if (!buffer_) buffer_ = free_buffer();
  std::memcpy(buffer_.get() + buffered_, data, bytes);
  hash_.update(data, bytes);
  buffered_ += bytes;
  position_ += static_cast<int64_t>(bytes);
  if (buffered_ == kChunkBytes) flush_buffer(buffered_);
}

FileRecord DirectFile::finish() {
  const size_t rest = buffered_ % kBlockBytes;
  std::vector<char> tail(rest);
  if (rest > 0) std::memcpy(tail.data(), buffer_.get() + buffered_ - rest, rest);
  flush_buffer(buffered_ - rest);
  wait_for_writer();
  if (rest > 0) {
    stop_direct();  // the rest of a block can only go through the page cache
    write(tail.data(), rest, position_ - static_cast<int64_t>(rest));
  }
  check(::fsync(file_.fd()) == 0, path_, "sync");
  check(::close(file_.release()) == 0, path_, "close");
  return {.name = path_.filename().string(), .bytes = position_, .sha256 = hash_.hex()};
}

DirectFile::Buffer DirectFile::free_buffer() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return failure_ || !spare_.empty() || num_buffers_ < kMostBuffers; });
  if (failure_) std::rethrow_exception(failure_);
  if (!spare_.empty()) {
    Buffer buffer = std::move(spare_.back());
    spare_.pop_back();
    return buffer;
  }
  ++num_buffers_;
  Buffer buffer(static_cast<char*>(std::aligned_alloc(kBlockBytes, kChunkBytes)));
  XKDE_CHECK(buffer != nullptr, MemoryError, path_.string(), ": no memory for a buffer of ",
             kChunkBytes, " bytes");
  return buffer;
}

/// Submits the first `bytes` of the buffer; what is behind them moves to a new one.
void DirectFile::flush_buffer(size_t bytes) {
  if (bytes == 0) return;
  const size_t rest = buffered_ - bytes;
  Buffer full = std::move(buffer_);
  if (rest > 0) {
    buffer_ = free_buffer();
    std::memcpy(buffer_.get(), full.get() + bytes, rest);
  }
  const int64_t position = position_ - static_cast<int64_t>(buffered_);
  const char* data = full.get();
  buffered_ = rest;
  submit({.data = data, .bytes = bytes, .position = position, .owner = std::move(full)});
}

void DirectFile::submit(Piece piece) {
  {
    const std::lock_guard lock(mutex_);
    if (failure_) std::rethrow_exception(failure_);
    pieces_.push_back(std::move(piece));
  }
  changed_.notify_all();
}

void DirectFile::write_pieces() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return closing_ || !pieces_.empty(); });
    if (pieces_.empty()) return;
    Piece piece = std::move(pieces_.front());
    pieces_.pop_front();
    busy_ = true;
    lock.unlock();
    std::exception_ptr failure;
    try {
      XKDE_CHECK(!stop_.stop_requested(), IoError, path_.string(), ": writing was broken off");
      write(piece.data, piece.bytes, piece.position);
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    busy_ = false;
    if (piece.owner) spare_.push_back(std::move(piece.owner));
    if (failure) {
      failure_ = failure;
      pieces_.clear();
    }
    changed_.notify_all();
  }
}

void DirectFile::write(const char* data, size_t bytes, int64_t position) {
  while (bytes > 0) {
    const ssize_t written = ::pwrite(file_.fd(), data, bytes, position);
    if (written < 0 && errno == EINTR) continue;
    const bool refused = written < 0 && errno == EINVAL;
    if (refused && (::fcntl(file_.fd(), F_GETFL) & O_DIRECT) != 0) {
      stop_direct();  // a file system that took the flag and does not keep its word
      continue;
    }
    check(written >= 0, path_, "write");
    data += written;
    bytes -= static_cast<size_t>(written);
    position += written;
  }
}

void DirectFile::stop_direct() {
  const int flags = ::fcntl(file_.fd(), F_GETFL);
  check(flags >= 0 && ::fcntl(file_.fd(), F_SETFL, flags & ~O_DIRECT) == 0, path_,
        "change the flags of");
}

void DirectFile::wait_for_writer() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return failure_ || (pieces_.empty() && !busy_); });
  if (failure_) std::rethrow_exception(failure_);
}

}  // namespace xkde
