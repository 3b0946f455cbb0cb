#ifndef XKDE_TESTS_SUPPORT_BYTE_FILE_H_
#define XKDE_TESTS_SUPPORT_BYTE_FILE_H_

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include <unistd.h>

namespace xkde {

/// Bytes put together one number after another, little endian, and a file of them.
class ByteFile {
 public:
  template <typename T>
  ByteFile& number(T value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  ByteFile& raw(const std::string& bytes) {
    bytes_ += bytes;
    return *this;
  }
  /// A GGUF string: u64 length, then the characters.
  ByteFile& string(const std::string& text) { return number<uint64_t>(text.size()).raw(text); }
  ByteFile& pad_to(size_t multiple) {
    bytes_.resize((bytes_.size() + multiple - 1) / multiple * multiple, '\0');
    return *this;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

/// A file that goes with its owner.
class TemporaryFile {
 public:
  TemporaryFile(const std::string& name, const std::string& bytes)
      : path_(std::filesystem::temp_directory_path() /
              ("xkde_" + std::to_string(::getpid()) + "_" + name)) {
    std::ofstream(path_, std::ios::binary) << bytes;
  }
  ~TemporaryFile() { std::filesystem::remove(path_); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace xkde

#endif  // XKDE_TESTS_SUPPORT_BYTE_FILE_H_
