#ifndef XKDE_CORE_EDIT_SUBJECT_PLACE_H_
#define XKDE_CORE_EDIT_SUBJECT_PLACE_H_

#include <cstddef>
#include <optional>
#include <string_view>

#include "core/base/named.h"
#include "core/data/language.h"

namespace xkde {

/// How a prompt writes its subject. Each way allows what those before it allow.
enum class SubjectMatch { kExact, kOtherCase, kOtherSpelling, kWithoutBlanks, kInflected };
inline constexpr Named<SubjectMatch> kSubjectMatchNames[] = {
    {"exact", SubjectMatch::kExact},
    {"other_case", SubjectMatch::kOtherCase},
    {"other_spelling", SubjectMatch::kOtherSpelling},
    {"without_blanks", SubjectMatch::kWithoutBlanks},
    {"inflected", SubjectMatch::kInflected}};

/// The bytes [begin, end) of a prompt, at least one, at bounds of characters.
struct SubjectPlace {
  size_t begin = 0, end = 0;
  SubjectMatch match{};
  bool operator==(const SubjectPlace&) const = default;
};

/// Where the subject, without outer white space, stands in the prompt: the first place of the first
/// way that has one. No way but the last finds a piece of a word; Chinese, Thai and Japanese, which
/// part none, have words in other scripts only. Ours:
/// - exact: byte for byte.
/// - other_case: after Unicode's full case folding, with the dotted i of Turkish and Azerbaijani.
/// - other_spelling: after NFKC, quotes, apostrophes and hyphens of each kind made one, characters
///   without width left out, and any white space one blank; then also without the marks around the
///   subject's words, where these have three letters.
/// - without_blanks: with no blanks in either.
/// - inflected, in languages that part words: the same words in the same order, with the same marks
///   between them, of which at least one has another ending. Such two words begin alike: in at
///   least three letters, and 60 % of the letters of each (a Hangul syllable has two or three);
///   where the subject has but one word of three letters and the prompt not all of it, in four and
///   75 %. Words with digits have no endings. Of several places, the one with most letters alike.
///   Where only the last word has an ending, behind the whole of the subject's, the place ends
///   before that ending (Nordhaven|s); otherwise it holds the words as the prompt inflects them
///   (Bohumily Křišťálové).
/// Nothing: the subject is empty, or the prompt names it otherwise or not at all. Texts must be
/// UTF-8 (DataError). Linear in the prompt for a subject of a few words.
std::optional<SubjectPlace> find_subject(std::string_view prompt, std::string_view subject,
                                         const Language& language);

/// The first place at or behind byte `from` where `part` stands in `text` byte for byte: as whole
/// words, or anywhere in a language that parts none. npos: nowhere. UTF-8 is taken for granted, and
/// that `part` is not empty.
size_t find_whole(std::string_view text, std::string_view part, const Language& language,
                  size_t from = 0);

}  // namespace xkde

#endif  // XKDE_CORE_EDIT_SUBJECT_PLACE_H_
