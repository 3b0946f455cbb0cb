#ifndef XKDE_CORE_DATA_LANGUAGE_H_
#define XKDE_CORE_DATA_LANGUAGE_H_

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace xkde {

/// A language by a benchmark's own code or ISO code (protocol 0.4): "cz" and "cs" are one language,
/// "du" and "nl" too, and so are "zh-cn" and "zh".
struct Language {
  std::string iso;
  std::string english_name;  ///< as written in a prompt: "Czech"
  std::string file_code;     ///< MzsRE's own code, "cz"; mostly equal to `iso`
  std::string nllb_code;     ///< of the NLLB-200 models: "ces_Latn"; empty: they do not know it
  std::string train_code;    ///< of BMIKE-53's train files, "zh-cn"; mostly equal to `iso`
};

/// The languages of protocol 0.4: English, the others of MzsRE, the others of BMIKE-53.
std::span<const Language> languages();

/// The language with that code, or nullptr.
const Language* find_language(std::string_view code);

/// The two codes of two or three letters that `codes` joins, "es" and "ceb" of "esceb"; nullopt
/// when it is no such text.
std::optional<std::pair<std::string_view, std::string_view>> language_pair(std::string_view codes);

/// Throws ConfigError naming the code when it is none of the languages of protocol 0.4.
const Language& language_of(std::string_view code);

}  // namespace xkde

#endif  // XKDE_CORE_DATA_LANGUAGE_H_
