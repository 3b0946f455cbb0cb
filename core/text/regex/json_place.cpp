#include "core/text/regex/json_place.h"

#include "core/base/error.h"
#include "core/text/regex/unicode.h"

namespace xkde {
namespace {

constexpr size_t kMostShown = 60;

std::string shown(const Json& value) {
  if (value.is_object()) return concat("an object of ", value.size(), " keys");
  if (value.is_array()) return concat("an array of ", value.size(), " values");
  std::string text = value.dump(-1, ' ', true, Json::error_handler_t::replace);
  if (text.size() > kMostShown) text = text.substr(0, kMostShown) + "...";
  return text;
}

}  // namespace

JsonPlace JsonPlace::at(std::string_view key) const {
  object();
  const auto found = value_->find(std::string(key));
  XKDE_CHECK(found != value_->end(), DataError, where(), ": expected key \"", key,
             "\", found none");
  return {*found, file_, path_.empty() ? std::string(key) : concat(path_, ".", key)};
}

std::optional<JsonPlace> JsonPlace::find(std::string_view key) const {
  object();
  const auto found = value_->find(std::string(key));
  if (found == value_->end() || found->is_null()) return std::nullopt;
  return at(key);
}

JsonPlace JsonPlace::item(size_t index) const {
  if (index >= array().size()) fail(concat("an array of at least ", index + 1, " values"));
  return {(*value_)[index], file_, concat(path_, "[", index, "]")};
}

const JsonPlace& JsonPlace::array() const {
  if (!value_->is_array()) fail("an array");
  return *this;
}

const JsonPlace& JsonPlace::object() const {
  if (!value_->is_object()) fail("an object");
  return *this;
}

const std::string& JsonPlace::string() const {
  if (!value_->is_string()) fail("a string");
  return value_->get_ref<const std::string&>();
}

bool JsonPlace::boolean() const {
  if (!value_->is_boolean()) fail("true or false");
  return value_->get<bool>();
}

int64_t JsonPlace::integer(int64_t least, int64_t most) const {
  const std::string expected = concat("an integer in [", least, ", ", most, "]");
  if (!value_->is_number_integer()) fail(expected);
  if (value_->is_number_unsigned() && value_->get<uint64_t>() > static_cast<uint64_t>(INT64_MAX))
    fail(expected);
  const auto number = value_->get<int64_t>();
  if (number < least || number > most) fail(expected);
  return number;
}

char32_t JsonPlace::character() const {
  const std::string& text = string();
  if (text.empty() || unicode::length(text) != 1) fail("a string of one character");
  size_t position = 0;
  return unicode::next(text, position);
}

bool JsonPlace::boolean_or(std::string_view key, bool otherwise) const {
  const auto found = find(key);
  return found ? found->boolean() : otherwise;
}

std::string JsonPlace::string_or(std::string_view key, const std::string& otherwise) const {
  const auto found = find(key);
  return found ? found->string() : otherwise;
}

std::string JsonPlace::where() const { return path_.empty() ? file_ : concat(file_, ": ", path_); }

void JsonPlace::fail(const std::string& expected) const {
  throw DataError(concat(where(), ": expected ", expected, ", found ", shown(*value_)));
}

}  // namespace xkde
