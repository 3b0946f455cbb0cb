#ifndef XKDE_CORE_EDIT_PROBE_TEMPLATES_H_
#define XKDE_CORE_EDIT_PROBE_TEMPLATES_H_

#include <string>
#include <string_view>
#include <vector>

namespace xkde {

/// What stands in a question in the place of the words that are asked for.
inline constexpr std::string_view kGap = "___";

/// The texts of which probes are built in one language (protocol 6.11); our own words. Templates
/// have "{question}", and "{answer}" where it is named, once each.
struct ProbeTemplates {
  std::string_view iso;
  std::string_view fact_check;  ///< whether the answer is the question's: yes or no
  std::string_view negation;    ///< asks for an answer that is not right
  std::string_view reverse;     ///< asks what belongs in kGap, which the question has then
  std::string_view completion;  ///< the question, and the beginning of a sentence that answers it
  /// Words with which an answer says yes or no, between "|"; the first of each is the target.
  std::string_view yes, no;
  /// Beginnings that look like one of these and say neither: "No idea".
  std::string_view neither;
  std::string_view passage;  ///< about nothing that a benchmark asks
  std::string_view persona;  ///< tells the reader who they are
};

/// Those of the language with that ISO code, or nullptr.
const ProbeTemplates* probe_templates(std::string_view iso);
/// The ISO codes that have them.
std::vector<std::string> probed_languages();

/// The texts between "|".
std::vector<std::string> word_list(std::string_view words);

/// `form` with its "{question}" and "{answer}" replaced; what replaces them is not looked at.
std::string filled(std::string_view form, std::string_view question, std::string_view answer = {});

/// Whether an answer says yes or no, or neither.
enum class Verdict { kYes, kNo, kNeither };
/// By the longest of the language's words that the normalised answer begins with (as whole words,
/// but in Chinese and Thai). Neither where it begins with none, or the language has no templates.
Verdict verdict_of(std::string_view answer, std::string_view iso);

}  // namespace xkde

#endif  // XKDE_CORE_EDIT_PROBE_TEMPLATES_H_
