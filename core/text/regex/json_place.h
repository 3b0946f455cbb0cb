#ifndef XKDE_CORE_TEXT_REGEX_JSON_PLACE_H_
#define XKDE_CORE_TEXT_REGEX_JSON_PLACE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/io/json_file.h"

namespace xkde {

/// A JSON value together with the place it stands at ("tokenizer.json: normalizer.pattern"), so
/// that each error names file, place, what was expected and what was found. `value` must outlive
/// it.
class JsonPlace {
 public:
  JsonPlace(const Json& value, std::string file) : value_(&value), file_(std::move(file)) {}

  const Json& value() const noexcept { return *value_; }
  bool is_null() const noexcept { return value_->is_null(); }
  bool is_object() const noexcept { return value_->is_object(); }
  size_t size() const noexcept { return value_->size(); }

  JsonPlace at(std::string_view key) const;                   ///< DataError when the key is missing
  std::optional<JsonPlace> find(std::string_view key) const;  ///< empty when missing or null
  JsonPlace item(size_t index) const;  ///< DataError when this is no array or has no such item
  /// This place, checked to be an array or an object.
  const JsonPlace& array() const;
  const JsonPlace& object() const;

  const std::string& string() const;
  bool boolean() const;
  int64_t integer(int64_t least, int64_t most) const;
  char32_t character() const;  ///< a string of exactly one character
  bool boolean_or(std::string_view key, bool otherwise) const;
  std::string string_or(std::string_view key, const std::string& otherwise) const;

  /// "<file>: <place>", for messages.
  std::string where() const;
  [[noreturn]] void fail(const std::string& expected) const;

 private:
  JsonPlace(const Json& value, std::string file, std::string path)
      : value_(&value), file_(std::move(file)), path_(std::move(path)) {}

  const Json* value_;
  std::string file_;
  std::string path_;
};

}  // namespace xkde

#endif  // XKDE_CORE_TEXT_REGEX_JSON_PLACE_H_
