#ifndef XKDE_CORE_TEXT_JINJA_SCOPE_H_
#define XKDE_CORE_TEXT_JINJA_SCOPE_H_

#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/text/jinja/python/value.h"
#include "core/text/jinja/syntax.h"

namespace xkde::jinja {

/// The names that a body sees: its own, then those around it.
struct Scope {
  Scope* parent = nullptr;
  bool is_kept = false;  ///< a macro that was made here may look into it later
  std::vector<std::pair<Symbol, Value>> values;

  /// Null: not here and not around.
  const Value* find(Symbol name) const {
    for (const Scope* scope = this; scope != nullptr; scope = scope->parent) {
      for (const auto& [own, value] : scope->values)
        if (own == name) return &value;
    }
    return nullptr;
  }
  /// Here, whatever stands around.
  void set(Symbol name, Value value) {
    for (auto& [own, old] : values) {
      if (own == name) {
        old = std::move(value);
        return;
      }
    }
    values.emplace_back(name, std::move(value));
  }
};

/// Owns all scopes of a rendering.
class Scopes {
 public:
  Scope& open(Scope* parent) {
    if (free_.empty()) return all_.emplace_back(Scope{parent, false, {}});
    Scope& scope = *free_.back();
    free_.pop_back();
    scope.parent = parent;
    return scope;
  }
  void close(Scope& scope) {
    if (scope.is_kept) return;
    scope.values.clear();
    free_.push_back(&scope);
  }

 private:
  std::deque<Scope> all_;
  std::vector<Scope*> free_;
};

/// What can be called.
struct Callable {
  enum class Kind { kMacro, kFunction, kMethod };
  Kind kind = Kind::kFunction;
  std::string name;
  const Statement* macro = nullptr;  ///< of kMacro: its parameters and its body
  Scope* around = nullptr;           ///< of kMacro: where it was made
  Value self;                        ///< of kMethod: whose
};

/// A loop while it runs, which its body sees as `loop`.
struct LoopState {
  SequencePtr items;
  std::function<bool(const Value&)> passes;  ///< the loop's condition; empty: none
  size_t taken = 0;                          ///< items that were looked at
  std::vector<const Value*> passed;          ///< those of them that the condition let through
  size_t index = 0;                          ///< of the current one among these

  /// Whether there is an item number `place`. Looks no further than it must, as Jinja does.
  bool reaches(size_t place) {
    while (passed.size() <= place && taken < items->items.size()) {
      const Value& item = items->items[taken++];
      if (!passes || passes(item)) passed.push_back(&item);
    }
    return passed.size() > place;
  }
};

}  // namespace xkde::jinja

#endif  // XKDE_CORE_TEXT_JINJA_SCOPE_H_
