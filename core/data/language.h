#ifndef XKDE_CORE_DATA_LANGUAGE_H_
#define XKDE_CORE_DATA_LANGUAGE_H_

#include <span>
#include <string>
#include <string_view>

namespace xkde {

/// A language by a benchmark's own code or ISO code (protocol 0.4): "cz" and "cs" are one language,
/// "du" and "nl" too.
struct Language {
  std::string iso;
  std::string english_name;  ///< as written in a prompt: "Czech"
  std::string file_code;     ///< MzsRE's own code, "cz"; mostly equal to `iso`
  std::string nllb_code;     ///< of the NLLB-200 models: "ces_Latn"
};

/// The languages of protocol 0.4, English first.
std::span<const Language> languages();

/// The language with that code, or nullptr.
const Language* find_language(std::string_view code);

/// Throws ConfigError naming the code when it is none of the languages of protocol 0.4.
const Language& language_of(std::string_view code);

}  // namespace xkde

#endif  // XKDE_CORE_DATA_LANGUAGE_H_
