#ifndef XKDE_CORE_IO_DIRECT_FILE_H_
#define XKDE_CORE_IO_DIRECT_FILE_H_

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <exception>
#include <filesystem>
#include <memory>
#include <mutex>
#include <stop_token>
#include <thread>
#include <vector>

#include "core/io/durable_file.h"
#include "core/io/file.h"
#include "core/io/pace.h"
#include "core/io/sha256.h"

namespace xkde {

/// A large file, written in order from its start by a thread of its own while the caller hashes the
/// same bytes. Where the file system allows, the page cache is passed by (O_DIRECT): whole blocks
/// of memory that begins at a multiple of kBlockBytes go to disk without a copy, others through
/// small buffers. All members throw IoError (path, what failed, the system's words).
class DirectFile {
 public:
  static constexpr size_t kBlockBytes = 4096;

  /// Opens a file of its final size that another library has just made, and reserves its space. A
  /// request on `stop` makes the next member throw. append() keeps to `pace`, which outlives the
  /// file.
  explicit DirectFile(const std::filesystem::path& path, std::stop_token stop = {},
                      Pace* pace = nullptr);
  DirectFile(const DirectFile&) = delete;
  DirectFile& operator=(const DirectFile&) = delete;
  ~DirectFile();

  /// `data` must not change until finish() has returned or the file is destroyed.
  void append(const void* data, size_t bytes);
  /// Goes on to byte `end`, or to the end of the file, and keeps what is there.
  void keep_until(int64_t end);
  void keep_rest() { keep_until(size_); }
  /// Waits until the content is durable and closes the file. Its folder is not synced.
  FileRecord finish();

 private:
  struct Free {
    void operator()(char* memory) const noexcept { std::free(memory); }
  };
  using Buffer = std::unique_ptr<char, Free>;
  struct Piece {
    const char* data;
    size_t bytes;
    int64_t position;
    Buffer owner;  ///< of `data`, when it is ours
  };

  Buffer free_buffer();
  void copy_in(const char* data, size_t bytes);
  void flush_buffer(size_t bytes);
  void submit(Piece piece);
  void write_pieces();
  void wait_for_writer();

  std::stop_token stop_;
  Pace* pace_;
  FileHandle file_, frame_;  // the same file: to write, and to read what is kept
  int64_t size_ = 0;
  Sha256 hash_;
  int64_t position_ = 0;  ///< of the next byte that the caller gives
  Buffer buffer_;         ///< the last bytes before position_, not yet submitted
  size_t buffered_ = 0;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Piece> pieces_;   // guarded by mutex_, as all below
  std::vector<Buffer> spare_;  // buffers to be used again
  size_t num_buffers_ = 0;
  bool busy_ = false, closing_ = false;
  std::exception_ptr failure_;
  std::thread writer_;  // last: it uses the others
};

}  // namespace xkde

#endif  // XKDE_CORE_IO_DIRECT_FILE_H_
