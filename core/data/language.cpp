#include "core/data/language.h"

#include <algorithm>
#include <array>

#include "core/base/error.h"

namespace xkde {

namespace {

std::string known_codes() {
  std::string codes;
  for (const Language& language : languages()) {
    if (!codes.empty()) codes += ", ";
    codes += language.iso;
    if (language.file_code != language.iso) codes += " (" + language.file_code + ")";
  }
  return codes;
}

}  // namespace

std::span<const Language> languages() {
  static const std::array<Language, 12> kLanguages{{
      {"en", "English", "en", "eng_Latn"},
      {"cs", "Czech", "cz", "ces_Latn"},
      {"de", "German", "de", "deu_Latn"},
      {"nl", "Dutch", "du", "nld_Latn"},
      {"es", "Spanish", "es", "spa_Latn"},
      {"fr", "French", "fr", "fra_Latn"},
      {"pt", "Portuguese", "pt", "por_Latn"},
      {"ru", "Russian", "ru", "rus_Cyrl"},
      {"th", "Thai", "th", "tha_Thai"},
      {"tr", "Turkish", "tr", "tur_Latn"},
      {"vi", "Vietnamese", "vi", "vie_Latn"},
      {"zh", "Chinese", "zh", "zho_Hans"},
  }};
  return kLanguages;
}

const Language* find_language(std::string_view code) {
  const auto all = languages();
  const auto found = std::find_if(all.begin(), all.end(), [code](const Language& language) {
    return language.iso == code || language.file_code == code;
  });
  return found == all.end() ? nullptr : &*found;
}

const Language& language_of(std::string_view code) {
  const Language* language = find_language(code);
  XKDE_CHECK(language != nullptr, ConfigError, "language: expected one of ", known_codes(),
             ", found \"", code, "\"");
  return *language;
}

}  // namespace xkde
