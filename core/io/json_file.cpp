#include "core/io/json_file.h"

#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/io/file_reader.h"

namespace xkde {
namespace {

/// "name:line:column" of a byte offset.
std::string place_of(std::string_view text, size_t offset, const std::string& name) {
  size_t line = 1;
  size_t column = 1;
  for (size_t i = 0; i < offset && i < text.size(); ++i) {
    if (text[i] == '\n') {
      ++line;
      column = 1;
    } else if ((static_cast<unsigned char>(text[i]) & 0xC0U) != 0x80U) {
      ++column;
    }
  }
  return name + ":" + std::to_string(line) + ":" + std::to_string(column);
}

/// Offset of the first byte that is not part of well-formed UTF-8, or nothing.
std::optional<size_t> first_invalid_utf8(std::string_view text) {
  size_t i = 0;
  while (i < text.size()) {
    const auto lead = static_cast<unsigned char>(text[i]);
    size_t length = 1;
    uint32_t code = lead;
    if (lead >= 0x80) {
      if (lead >= 0xC2 && lead <= 0xDF) {
        length = 2;
        code = lead & 0x1FU;
      } else if (lead >= 0xE0 && lead <= 0xEF) {
        length = 3;
        code = lead & 0x0FU;
      } else if (lead >= 0xF0 && lead <= 0xF4) {
        length = 4;
        code = lead & 0x07U;
      } else {
        return i;
      }
    }
    if (i + length > text.size()) return i;
    for (size_t k = 1; k < length; ++k) {
      const auto next = static_cast<unsigned char>(text[i + k]);
      if ((next & 0xC0U) != 0x80U) return i;
      code = (code << 6U) | (next & 0x3FU);
    }
    const bool overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
    const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
    if (overlong || surrogate || code > 0x10FFFF) return i;
    i += length;
  }
  return std::nullopt;
}

/// Builds the value while it is read, and refuses what nlohmann's own parser lets pass: duplicate
/// keys (the last wins there) and unlimited depth.
class StrictBuilder : public Json::json_sax_t {
 public:
  StrictBuilder(int max_depth) : max_depth_(max_depth) {}

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t& text) override {
    if (!std::isfinite(value)) return fail("expected a number in range, found " + text);
    return add(value);
  }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool binary(binary_t&) override { return fail("expected text, found binary data"); }
  bool start_object(std::size_t) override { return open(Json::object()); }
  bool start_array(std::size_t) override { return open(Json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    if (!keys_.back().insert(name).second) return fail("duplicate key \"" + name + "\"");
    key_ = std::move(name);
    return true;
  }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& error) override {
    position_ = position == 0 ? 0 : position - 1;
    message_ = error.what();
    return false;
  }

  Json take() { return std::move(root_); }
  const std::string& message() const { return message_; }
  std::optional<size_t> position() const { return position_; }

 private:
  bool fail(std::string message) {
    message_ = std::move(message);
    return false;
  }
  Json* place(Json value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    Json& parent = *open_.back();
    if (parent.is_array()) {
      parent.push_back(std::move(value));
      return &parent.back();
    }
    // key() has refused duplicates, so the search of operator[], linear in an ordered object, is
    // not needed: a vocabulary has a hundred thousand keys.
    auto& members = parent.get_ref<Json::object_t&>();
    return &members.Json::object_t::Container::emplace_back(std::move(key_), std::move(value))
                .second;
  }
  bool add(Json value) {
    place(std::move(value));
    return true;
  }
  bool open(Json value) {
    if (static_cast<int>(open_.size()) >= max_depth_) {
      return fail("expected at most " + std::to_string(max_depth_) + " nested levels, found more");
    }
    // A container's address is stable while it is open: only its own children are added to.
    open_.push_back(place(std::move(value)));
    keys_.emplace_back();
    return true;
  }
  bool close() {
    open_.pop_back();
    keys_.pop_back();
    return true;
  }

  int max_depth_;
  Json root_;
  std::vector<Json*> open_;
  std::vector<std::unordered_set<std::string>> keys_;
  std::string key_, message_;
  std::optional<size_t> position_;
};

/// nlohmann's words without its error number and its own line count.
std::string plain_reason(const std::string& what) {
  const size_t colon = what.find(": ");
  return colon == std::string::npos ? what : what.substr(colon + 2);
}

/// Counts the characters that the parser has taken, so that a refused value has a place.
class CountingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;
  CountingIterator(const char* at, const char** furthest) : at_(at), furthest_(furthest) {}
  reference operator*() const { return *at_; }
  CountingIterator& operator++() {
    ++at_;
    if (furthest_ != nullptr && at_ > *furthest_) *furthest_ = at_;
    return *this;
  }
  CountingIterator operator++(int) {
    CountingIterator old = *this;
    ++*this;
    return old;
  }
  bool operator==(const CountingIterator& other) const { return at_ == other.at_; }
  bool operator!=(const CountingIterator& other) const { return at_ != other.at_; }

 private:
  const char* at_;
  const char** furthest_;
};

}  // namespace

Json parse_json(std::string_view text, const std::string& name, const JsonLimits& limits) {
  XKDE_CHECK(text.size() <= limits.max_bytes, DataError, name, ": expected at most ",
             limits.max_bytes, " bytes of JSON, found ", text.size());
  if (text.substr(0, 3) == "\xEF\xBB\xBF") text.remove_prefix(3);
  XKDE_CHECK(text.find_first_not_of(" \t\r\n") != std::string_view::npos, DataError, name,
             ": expected JSON, found an empty file");
  const auto invalid = first_invalid_utf8(text);
  XKDE_CHECK(!invalid, DataError, place_of(text, *invalid, name),
             ": expected UTF-8, found an invalid byte");

  StrictBuilder builder(limits.max_depth);
  const char* furthest = text.data();
  const bool whole =
      Json::sax_parse(CountingIterator(text.data(), &furthest),
                      CountingIterator(text.data() + text.size(), nullptr), &builder);
  if (!whole) {
    const auto here = static_cast<size_t>(furthest - text.data());
    const size_t offset = builder.position().value_or(here == 0 ? 0 : here - 1);
    throw DataError(place_of(text, offset, name) + ": " +
                    (builder.position() ? plain_reason(builder.message()) : builder.message()));
  }
  return builder.take();
}

Json read_json_file(const std::filesystem::path& path, const JsonLimits& limits) {
  const auto max_bytes = static_cast<int64_t>(limits.max_bytes);
  const std::optional<std::string> text = text_if_there(path, FileOrigin::kInput, max_bytes);
  XKDE_CHECK(text, MissingInputError, path.string(), ": expected a JSON file, found none");
  return parse_json(*text, path.string(), limits);
}

}  // namespace xkde
