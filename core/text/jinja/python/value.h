#ifndef XKDE_CORE_TEXT_JINJA_PYTHON_VALUE_H_
#define XKDE_CORE_TEXT_JINJA_PYTHON_VALUE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace xkde::jinja {

class Value;
struct Callable;
struct LoopState;

/// A name that nothing is known of. `name` lives as long as the template; it may be null.
struct Undefined {
  const std::string* name = nullptr;
};

struct None {
  bool operator==(const None&) const = default;
};

/// Well-formed UTF-8 that never changes.
struct Text {
  std::shared_ptr<const std::string> bytes;
  bool is_safe = false;  ///< came out of the filter "safe": what is added to it gets escaped
};

/// Values in order, which never change. Python's types differ in what may be done with one.
struct Sequence {
  enum class Kind {
    kList,
    kTuple,
    kIterator,  ///< what a generator gives: once, without a length, always true
    kView,      ///< of a dict's keys, values or items: no place in it has a number
    kRange,     ///< what range() gives
  };
  bool has_places() const noexcept { return kind != Kind::kIterator && kind != Kind::kView; }

  Kind kind = Kind::kList;
  std::vector<Value> items;
  int depth = 1;             ///< of lists and dicts in each other
  mutable size_t taken = 0;  ///< of an iterator: how many are gone
};
using SequencePtr = std::shared_ptr<const Sequence>;

/// Keys and values in the order in which keys came.
struct Dict {
  std::vector<std::pair<Value, Value>> entries;
  int depth = 1;

  /// The value under a text; null: there is none.
  const Value* find(std::string_view key) const;
  const Value* find(const Value& key) const;
  /// The last value of a key counts, at the place of the first.
  void put(Value key, Value value);
};
using DictPtr = std::shared_ptr<const Dict>;

/// What `namespace()` makes: the one value that a template can change. The rendering owns it.
struct Namespace {
  std::vector<std::pair<std::string, Value>> names;
};

/// A value of the template language, as Python has them.
class Value {
 public:
  using Variant =
      std::variant<Undefined, None, bool, int64_t, double, Text, SequencePtr, DictPtr, Namespace*,
                   std::shared_ptr<const Callable>, std::shared_ptr<LoopState>>;

  Value() = default;
  Value(None none) : held_(none) {}
  Value(Undefined undefined) : held_(undefined) {}
  Value(bool value) : held_(value) {}
  Value(int64_t value) : held_(value) {}
  Value(double value) : held_(value) {}
  Value(std::string text)
      : held_(Text{std::make_shared<const std::string>(std::move(text)), false}) {}
  Value(std::string_view text) : Value(std::string(text)) {}
  Value(const char* text) : Value(std::string(text)) {}
  Value(Text text) : held_(std::move(text)) {}
  Value(SequencePtr sequence) : held_(std::move(sequence)) {}
  Value(DictPtr dict) : held_(std::move(dict)) {}
  Value(Namespace* names) : held_(names) {}
  Value(std::shared_ptr<const Callable> callable) : held_(std::move(callable)) {}
  Value(std::shared_ptr<LoopState> loop) : held_(std::move(loop)) {}

  template <typename T>
  const T* as() const noexcept {
    return std::get_if<T>(&held_);
  }
  template <typename T>
  bool is() const noexcept {
    return std::holds_alternative<T>(held_);
  }
  bool is_text() const noexcept { return is<Text>(); }
  /// The bytes of a text. Only where is_text().
  const std::string& text() const { return *std::get<Text>(held_).bytes; }
  const Dict* dict() const noexcept {
    return is<DictPtr>() ? std::get<DictPtr>(held_).get() : nullptr;
  }
  const Sequence* sequence() const noexcept {
    return is<SequencePtr>() ? std::get<SequencePtr>(held_).get() : nullptr;
  }
  /// Python's name of the type, for messages.
  std::string_view type_name() const;
  int depth() const noexcept;  ///< of lists and dicts in each other; 0 for all else

 private:
  Variant held_;
};

/// Python's `==`. Never fails: values of different types differ, but true is 1 and 1 is 1.0.
bool equal(const Value& a, const Value& b);

/// Python's `bool()`.
bool is_true(const Value& value);

}  // namespace xkde::jinja

#endif  // XKDE_CORE_TEXT_JINJA_PYTHON_VALUE_H_
