#include "stages/recipe/edit_selection.h"

#include <algorithm>
#include <initializer_list>
#include <string_view>
#include <utility>

#include "core/data/benchmarks/benchmarks.h"
#include "core/data/language.h"
#include "stages/recipe/slice_key.h"

namespace xkde::recipe {
namespace {

/// The keys of a list of languages and where its codes go.
using LanguageKey = std::pair<std::string_view, std::vector<std::string>*>;

const char* language_text() {
  static const std::string kText = [] {
    std::string text = "a language code (";
    for (const Language& language : languages()) {
      if (&language != &languages().front()) text += ", ";
      text += language.iso;
      if (language.file_code != language.iso) text += " or " + language.file_code;
    }
    return text + ")";
  }();
  return kText.c_str();
}

/// Every code of every language.
const std::vector<std::string>& language_codes() {
  static const std::vector<std::string> kCodes = [] {
    std::vector<std::string> codes;
    for (const Language& language : languages()) {
      for (const std::string& code : {language.iso, language.file_code, language.train_code}) {
        if (find_language(code) != nullptr &&
            std::find(codes.begin(), codes.end(), code) == codes.end())
          codes.push_back(code);
      }
    }
    return codes;
  }();
  return kCodes;
}

/// Of a schema: the keys of languages may be left out beside benchmarks that have only one.
void describe_languages(StrictMap& map, const Names& benchmarks,
                        std::initializer_list<LanguageKey> languages) {
  std::vector<std::string_view> several;
  for (const std::string_view name : benchmarks.known) {
    if (!find_benchmark(std::string(name))->has_one_language()) several.push_back(name);
  }
  Json needed = Json::array();
  for (const auto& [key, codes] : languages) needed.emplace_back(key);
  Json is_one_of;
  is_one_of["properties"]["benchmark"]["enum"] = several;
  is_one_of["required"].emplace_back("benchmark");
  map.add_rule({{"if", std::move(is_one_of)}, {"then", {{"required", std::move(needed)}}}});
}

void read_languages(StrictMap& map, std::string_view key, bool is_required,
                    std::vector<std::string>& out) {
  const Condition<std::string> is_language{
      language_text(), [](const std::string& code) { return find_language(code) != nullptr; },
      nullptr, language_codes()};
  if (is_required) {
    map.required(key, out, is_language);
  } else {
    map.optional(key, out, is_language);
  }
  std::vector<const Language*> seen;
  for (const std::string& code : out) {
    const Language* language = find_language(code);
    if (std::find(seen.begin(), seen.end(), language) != seen.end())
      map.add_error(key, "expected each language once, found " + language->english_name + " twice");
    seen.push_back(language);
  }
}

void each_key_of(StrictMap& map, const Names& benchmarks, EditSelection& edits,
                 std::initializer_list<LanguageKey> languages) {
  map.required("benchmark", edits.benchmark, benchmarks);
  map.required("data", edits.data);
  const BenchmarkSource* source = find_benchmark(edits.benchmark);
  std::vector<std::string> only;
  if (source != nullptr && source->has_one_language()) only.emplace_back(source->languages[0]);
  if (map.reads()) edits.edit_languages = edits.test_languages = only;
  for (const auto& [key, codes] : languages) {
    const bool has_several = only.empty() && map.knows("benchmark");
    read_languages(map, key, has_several && !map.describes(), *codes);
    if (!only.empty() && *codes != only)
      map.add_error(key, "expected [" + only[0] + "], the only language of " + edits.benchmark +
                             ", found others");
  }
  if (map.describes()) describe_languages(map, benchmarks, languages);
  map.optional("records", edits.records, kSlice);
}

}  // namespace

void each_selection_key(StrictMap& map, const Names& benchmarks, EditSelection& edits) {
  each_key_of(
      map, benchmarks, edits,
      {{"edit_languages", &edits.edit_languages}, {"test_languages", &edits.test_languages}});
}

void each_edited_key(StrictMap& map, const Names& benchmarks, EditSelection& edits) {
  each_key_of(map, benchmarks, edits, {{"edit_languages", &edits.edit_languages}});
  if (map.reads()) edits.test_languages = edits.edit_languages;
}

Json selection_json(const EditSelection& edits) {
  Json json;
  StrictMap map = StrictMap::writing(json);
  EditSelection copy = edits;
  each_selection_key(map, {}, copy);
  return json;
}

}  // namespace xkde::recipe
