#ifndef XKDE_CORE_MEMORY_QUESTION_INDEX_H_
#define XKDE_CORE_MEMORY_QUESTION_INDEX_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace xkde {

/// Finds the facts that a question asks for by its letters alone: by pairs and triples of
/// neighbouring letters, in lower case, words framed by blanks. A fact with a subject is found
/// where the question names the subject; one without, where its own question is nearly the one
/// that is asked. A question about something else finds nothing. The search looks at every
/// question: for thousands of facts, not for millions.
class QuestionIndex {
 public:
  /// A question names a subject where it has at least this share of the subject's parts.
  static constexpr double kSubjectShare = 0.75;
  /// What is asked is nearly a fact's question where their cosine is at least this.
  static constexpr double kLeastCosine = 0.8;

  struct Found {
    int64_t fact = 0;
    double cosine = 0;  ///< of what is asked and the nearest question of the fact
    bool operator==(const Found&) const = default;
  };

  /// One more question, in any language, that fact number `fact` answers. Empty: no subject. Texts
  /// are well-formed UTF-8.
  void add(int64_t fact, std::string_view question, std::string_view subject);
  /// At most `count` facts, each once, the nearest question first and of equal ones the lowest
  /// number.
  std::vector<Found> find(std::string_view question, size_t count) const;

 private:
  using Parts = std::map<std::string, double>;  ///< part -> how often
  struct Entry {
    int64_t fact = 0;
    Parts question, subject;
  };
  static Parts parts_of(std::string_view text);
  static bool names(const Parts& question, const Parts& subject);

  std::vector<Entry> entries_;
};

}  // namespace xkde

#endif  // XKDE_CORE_MEMORY_QUESTION_INDEX_H_
