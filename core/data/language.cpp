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
  static const std::array<Language, 53> kLanguages{{
      {"en", "English", "en", "eng_Latn", "en"},     {"cs", "Czech", "cz", "ces_Latn", "cs"},
      {"de", "German", "de", "deu_Latn", "de"},      {"nl", "Dutch", "du", "nld_Latn", "nl"},
      {"es", "Spanish", "es", "spa_Latn", "es"},     {"fr", "French", "fr", "fra_Latn", "fr"},
      {"pt", "Portuguese", "pt", "por_Latn", "pt"},  {"ru", "Russian", "ru", "rus_Cyrl", "ru"},
      {"th", "Thai", "th", "tha_Thai", "th"},        {"tr", "Turkish", "tr", "tur_Latn", "tr"},
      {"vi", "Vietnamese", "vi", "vie_Latn", "vi"},  {"zh", "Chinese", "zh", "zho_Hans", "zh-cn"},
      {"af", "Afrikaans", "af", "afr_Latn", "af"},   {"ar", "Arabic", "ar", "arb_Arab", "ar"},
      {"az", "Azerbaijani", "az", "azj_Latn", "az"}, {"be", "Belarusian", "be", "bel_Cyrl", "be"},
      {"bg", "Bulgarian", "bg", "bul_Cyrl", "bg"},   {"bn", "Bengali", "bn", "ben_Beng", "bn"},
      {"ca", "Catalan", "ca", "cat_Latn", "ca"},     {"ceb", "Cebuano", "ceb", "ceb_Latn", "ceb"},
      {"cy", "Welsh", "cy", "cym_Latn", "cy"},       {"da", "Danish", "da", "dan_Latn", "da"},
      {"el", "Greek", "el", "ell_Grek", "el"},       {"et", "Estonian", "et", "est_Latn", "et"},
      {"eu", "Basque", "eu", "eus_Latn", "eu"},      {"fa", "Persian", "fa", "pes_Arab", "fa"},
      {"fi", "Finnish", "fi", "fin_Latn", "fi"},     {"ga", "Irish", "ga", "gle_Latn", "ga"},
      {"gl", "Galician", "gl", "glg_Latn", "gl"},    {"he", "Hebrew", "he", "heb_Hebr", "he"},
      {"hi", "Hindi", "hi", "hin_Deva", "hi"},       {"hr", "Croatian", "hr", "hrv_Latn", "hr"},
      {"hu", "Hungarian", "hu", "hun_Latn", "hu"},   {"hy", "Armenian", "hy", "hye_Armn", "hy"},
      {"id", "Indonesian", "id", "ind_Latn", "id"},  {"it", "Italian", "it", "ita_Latn", "it"},
      {"ja", "Japanese", "ja", "jpn_Jpan", "ja"},    {"ka", "Georgian", "ka", "kat_Geor", "ka"},
      {"ko", "Korean", "ko", "kor_Hang", "ko"},      {"la", "Latin", "la", "", "la"},
      {"lt", "Lithuanian", "lt", "lit_Latn", "lt"},  {"lv", "Latvian", "lv", "lvs_Latn", "lv"},
      {"ms", "Malay", "ms", "zsm_Latn", "ms"},       {"pl", "Polish", "pl", "pol_Latn", "pl"},
      {"ro", "Romanian", "ro", "ron_Latn", "ro"},    {"sk", "Slovak", "sk", "slk_Latn", "sk"},
      {"sl", "Slovenian", "sl", "slv_Latn", "sl"},   {"sq", "Albanian", "sq", "als_Latn", "sq"},
      {"sr", "Serbian", "sr", "srp_Cyrl", "sr"},     {"sv", "Swedish", "sv", "swe_Latn", "sv"},
      {"ta", "Tamil", "ta", "tam_Taml", "ta"},       {"uk", "Ukrainian", "uk", "ukr_Cyrl", "uk"},
      {"ur", "Urdu", "ur", "urd_Arab", "ur"},
  }};
  return kLanguages;
}

const Language* find_language(std::string_view code) {
  const auto all = languages();
  const auto found = std::find_if(all.begin(), all.end(), [code](const Language& language) {
    return language.iso == code || language.file_code == code || language.train_code == code;
  });
  return found == all.end() ? nullptr : &*found;
}

std::optional<std::pair<std::string_view, std::string_view>> language_pair(std::string_view codes) {
  for (size_t first = 2; first <= 3 && first + 2 <= codes.size(); ++first) {
    const std::string_view edit = codes.substr(0, first), test = codes.substr(first);
    if (test.size() <= 3 && find_language(edit) != nullptr && find_language(test) != nullptr)
      return std::pair(edit, test);
  }
  return std::nullopt;
}

const Language& language_of(std::string_view code) {
  const Language* language = find_language(code);
  XKDE_CHECK(language != nullptr, ConfigError, "language: expected one of ", known_codes(),
             ", found \"", code, "\"");
  return *language;
}

}  // namespace xkde
