#include "core/model/families/families.h"

#include "core/base/error.h"
#include "core/model/families/family.h"

namespace xkde {

// A new family is its file in this folder, its declaration and its entry here.
extern const Family kLlama;
extern const Family kQwen2;

namespace {

constexpr const Family* kFamilies[] = {&kLlama, &kQwen2};

/// "a, b or c".
std::string known_values(std::string_view Family::*key) {
  std::string text;
  const auto all = families();
  for (size_t i = 0; i < all.size(); ++i) {
    if (i > 0) text += i + 1 == all.size() ? " or " : ", ";
    text += all[i]->*key;
  }
  return text;
}

}  // namespace

std::span<const Family* const> families() { return kFamilies; }

const Family& family_by(std::string_view Family::*key, std::string_view value,
                        const std::string& place) {
  for (const Family* family : families()) {
    if (family->*key == value) return *family;
  }
  throw DataError(concat(place, ": expected ", known_values(key), ", found ", value));
}

const Family& family_named(std::string_view model_type) {
  return family_by(&Family::model_type, model_type, "model_type");
}

}  // namespace xkde
