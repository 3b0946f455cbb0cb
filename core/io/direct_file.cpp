#include "core/io/direct_file.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <string_view>
#include <utility>

#include "core/base/error.h"
#include "core/base/stopwatch.h"

namespace xkde {
namespace fs = std::filesystem;
namespace {

constexpr size_t kChunkBytes = size_t{4} << 20;  // of one write
constexpr size_t kHashBytes = size_t{1} << 20;   // hashed while the cache holds what was copied
constexpr size_t kMostBuffers = 3;               // one is filled, one written, one waits

static_assert(kChunkBytes % DirectFile::kBlockBytes == 0);

bool is_aligned(const void* data) {
  return reinterpret_cast<uintptr_t>(data) % DirectFile::kBlockBytes == 0;
}

}  // namespace

DirectFile::DirectFile(const fs::path& path, std::stop_token stop, Pace* pace)
    : stop_(std::move(stop)),
      pace_(pace),
      file_(FileHandle::open(path, OpenMode::kUpdate)),
      frame_(FileHandle::open(path, OpenMode::kRead)) {
  size_ = file_.status().bytes;
  file_.reserve(size_);
  file_.start_direct();
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
  std::vector<char> buffer(kBlockBytes);
  while (position_ < end) {
    const auto size =
        std::min({buffer.size(), static_cast<size_t>(end - position_), kChunkBytes - buffered_});
    const std::span<char> piece = std::span(buffer).first(size);
    frame_.pread_all(piece, position_);
    copy_in(piece.data(), piece.size());
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
    file_.stop_direct();  // the rest of a block can only go through the page cache
    file_.pwrite_all({tail.data(), rest}, position_ - static_cast<int64_t>(rest));
  }
  file_.sync();
  file_.close();
  return {.name = file_.path().filename().string(), .bytes = position_, .sha256 = hash_.hex()};
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
  XKDE_CHECK(buffer != nullptr, MemoryError, file_.path().string(), ": no memory for a buffer of ",
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
      XKDE_CHECK(!stop_.stop_requested(), IoError, file_.path().string(),
                 ": writing was broken off");
      file_.pwrite_all({piece.data, piece.bytes}, piece.position);
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

void DirectFile::wait_for_writer() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return failure_ || (pieces_.empty() && !busy_); });
  if (failure_) std::rethrow_exception(failure_);
}

}  // namespace xkde
