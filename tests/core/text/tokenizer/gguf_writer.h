#ifndef XKDE_TESTS_CORE_TEXT_TOKENIZER_GGUF_WRITER_H_
#define XKDE_TESTS_CORE_TEXT_TOKENIZER_GGUF_WRITER_H_

#include <cstdint>
#include <string>
#include <vector>

namespace xkde::test {

/// Builds the bytes of a GGUF file (version 3) that holds metadata and no tensors.
class GgufWriter {
 public:
  GgufWriter& add(const std::string& key, const std::string& value) {
    head(key, kString);
    text(value);
    return *this;
  }
  GgufWriter& add(const std::string& key, uint32_t value) {
    head(key, kUint32);
    raw(value);
    return *this;
  }
  GgufWriter& add(const std::string& key, bool value) {
    head(key, kBool);
    body_ += value ? '\1' : '\0';
    return *this;
  }
  GgufWriter& add(const std::string& key, const std::vector<std::string>& values) {
    array(key, kString, values.size());
    for (const std::string& value : values) text(value);
    return *this;
  }
  GgufWriter& add(const std::string& key, const std::vector<int32_t>& values) {
    array(key, kInt32, values.size());
    for (const int32_t value : values) raw(value);
    return *this;
  }
  GgufWriter& add(const std::string& key, const std::vector<float>& values) {
    array(key, kFloat32, values.size());
    for (const float value : values) raw(value);
    return *this;
  }

  std::string bytes() const {
    GgufWriter whole;
    whole.body_ = "GGUF";
    whole.raw(uint32_t{3});
    whole.raw(uint64_t{0});
    whole.raw(count_);
    return whole.body_ + body_;
  }

 private:
  static constexpr uint32_t kUint32 = 4, kInt32 = 5, kFloat32 = 6, kBool = 7, kString = 8,
                            kArray = 9;

  template <typename T>
  void raw(T value) {
    body_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void text(const std::string& value) {
    raw(uint64_t{value.size()});
    body_ += value;
  }
  void head(const std::string& key, uint32_t type) {
    text(key);
    raw(type);
    ++count_;
  }
  void array(const std::string& key, uint32_t type, size_t size) {
    head(key, kArray);
    raw(type);
    raw(uint64_t{size});
  }

  std::string body_;
  uint64_t count_ = 0;
};

}  // namespace xkde::test

#endif  // XKDE_TESTS_CORE_TEXT_TOKENIZER_GGUF_WRITER_H_
