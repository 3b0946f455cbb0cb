#include "core/model/families/families.h"

#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/base/error.h"
#include "core/model/families/family.h"

namespace xkde {

// A new family is its file in this folder, its declaration and its entry here.
extern const Family kLlama;
extern const Family kQwen2;
extern const Family kQwen3;
extern const Family kMistral;
extern const Family kGemma2;
extern const Family kGemma3;
extern const Family kPhi3;

namespace {

constexpr const Family* kFamilies[] = {&kLlama,  &kQwen2,  &kQwen3, &kMistral,
                                       &kGemma2, &kGemma3, &kPhi3};

/// "a, b or c".
std::string known_values(std::string_view Family::*key) {
  std::vector<std::string_view> values;
  for (const Family* family : families()) {
    if (!(family->*key).empty()) values.push_back(family->*key);
  }
  const std::string_view last = values.back();
  values.pop_back();
  return fmt::format("{} or {}", fmt::join(values, ", "), last);
}

}  // namespace

std::span<const Family* const> families() { return kFamilies; }

const Family& family_by(std::string_view Family::*key, std::string_view value,
                        const std::string& place) {
  for (const Family* family : families()) {
    if (family->*key == value && !value.empty()) return *family;
  }
  throw DataError(concat(place, ": expected ", known_values(key), ", found ", value));
}

const Family& family_named(std::string_view model_type) {
  return family_by(&Family::model_type, model_type, "model_type");
}

}  // namespace xkde
